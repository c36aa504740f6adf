//! A process is killed: its lifeline ends before its other sockets do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags};
use tinysns_member::{Limits, NodeId, Timing};
use tinysns_wire::link_hello::Purpose;

use crate::link::frame::{self, FrameReader, Received, HELLO_BYTES};
use crate::link::greeting::Identity;
use crate::node::{found, Node};
use crate::settings::Settings;
use crate::tests::Folder;

const ADDRESS: &str = "TINYSNS_TEST_LIFELINE_ADDRESS";
const FOLDER: &str = "TINYSNS_TEST_LIFELINE_FOLDER";
/// Memory that the kernel has to take down before it closes the sockets of the process.
const MEMORY: usize = 256 << 20;
const KILLS: usize = 5;

fn settings(node: NodeId, listen: SocketAddr, path: &std::path::Path) -> Settings {
    let nobody = "127.0.0.1:1".parse().expect("an address");
    Settings {
        path: path.to_owned(),
        node,
        listen,
        peers: vec![(1, listen), (2, nobody), (3, nobody)],
        cluster_id: "ours".into(),
        incarnation: 7,
        applied: 0,
        installed: 0,
        reserve_bytes: 0,
        stuck: Duration::from_secs(30),
        timing: Timing::default(),
        limits: Limits::default(),
        file_mb: 16,
        keep_mb: 64,
    }
}

/// Run by the test below in a process of its own.
#[test]
#[ignore = "it is the process that the other test kills"]
fn victim() {
    let (Ok(address), Ok(folder)) = (std::env::var(ADDRESS), std::env::var(FOLDER)) else { return };
    let log = std::path::Path::new(&folder).join("log");
    found(&log, &[1, 2, 3]).expect("it is new");
    let memory = vec![1u8; MEMORY];
    let node = Node::start(settings(1, address.parse().expect("an address"), &log)).expect("it can start");
    println!("ready");
    std::io::stdin().read_exact(&mut [0]).expect_err("the other end is killed with this one, or closes");
    drop((node, memory));
}

fn spawn_victim(folder: &Folder, address: SocketAddr) -> Child {
    let binary = std::env::current_exe().expect("it runs");
    let mut child = Command::new(binary)
        .args(["--exact", "lifeline::tests::victim", "--ignored", "--nocapture"])
        .env(ADDRESS, address.to_string())
        .env(FOLDER, folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be started again");
    let mut output = String::new();
    let mut stdout = child.stdout.take().expect("it is piped");
    while !output.contains("ready") {
        let mut bytes = [0; 256];
        let count = stdout.read(&mut bytes).expect("it can be read");
        assert!(count > 0, "it ended: {output}");
        output.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    child
}

/// A connection that has said hello and heard one.
fn greeted(address: SocketAddr, purpose: Purpose) -> TcpStream {
    let me = Identity { cluster_id: "ours".into(), node: 2, incarnation: 1, members: vec![1, 2, 3] };
    let mut stream = TcpStream::connect(address).expect("it listens");
    let mut hello = vec![];
    frame::encode_hello(&me.hello(purpose), &mut hello);
    stream.write_all(&hello).expect("there is room");
    let mut reader = FrameReader::default();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("it answers");
        reader.push(&byte);
        if let Some(body) = reader.next(HELLO_BYTES).expect("a hello is short") {
            let Ok(Received::Hello(hello)) = frame::decode(body) else { panic!("no hello") };
            let (peer, answer) = me.check(&hello, Some(1)).expect("it is member 1");
            assert_eq!((peer.incarnation, answer), (7, purpose));
            return stream;
        }
    }
}

/// Which of the two ends first. What comes over the link meanwhile is read and dropped.
fn lifeline_ends_first(lifeline: &mut TcpStream, link: &mut TcpStream) -> bool {
    lifeline.set_nonblocking(true).expect("it can be");
    link.set_nonblocking(true).expect("it can be");
    let mut bytes = vec![0; 64 << 10];
    let mut has_ended = |stream: &mut TcpStream| loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
        }
    };
    loop {
        {
            let mut both = [PollFd::new(lifeline, PollFlags::IN), PollFd::new(link, PollFlags::IN)];
            poll(&mut both, None).expect("it works");
        }
        let link_has = has_ended(link); // asked first: if both have ended by now, that is no success
        if has_ended(lifeline) {
            return !link_has;
        }
        if link_has {
            return false;
        }
    }
}

/// The order is the kernel's to keep; on a busy machine it may find the thread with the table of its own late.
#[test]
fn the_lifeline_of_a_killed_process_ends_before_its_links() {
    let mut sooner = 0;
    for _ in 0..KILLS {
        let folder = Folder::new();
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|any| any.local_addr()).expect("there are ports");
        let mut child = spawn_victim(&folder, port);
        let mut link = greeted(port, Purpose::Link);
        let mut lifeline = greeted(port, Purpose::Lifeline);
        std::thread::sleep(Duration::from_millis(100)); // the hello comes before the hand-over
        child.kill().expect("it lives");
        sooner += usize::from(lifeline_ends_first(&mut lifeline, &mut link));
        child.wait().expect("it was killed");
    }
    assert!(sooner > KILLS / 2, "{sooner} of {KILLS}");
}
