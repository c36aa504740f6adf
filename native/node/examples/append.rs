//! What a small synced append costs: into a file that grows, into space that is reserved, into room that was written at
//! once, and page by page (what src/disk/file_system.rs does). In turns, so that a busy machine is busy for all.
//!
//! cargo run --release -p tinysns-node --example append -- FOLDER [APPENDS]

use std::fs::{File, OpenOptions};
use std::io::Result;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{fallocate, FallocateFlags};

const APPEND: usize = 300;
const ROOM: usize = 2 << 20;
const PAGE: usize = 4 << 10;

struct Way {
    name: &'static str,
    prepare: fn(&File) -> Result<()>,
}

const WAYS: [Way; 4] = [
    Way { name: "growing", prepare: |_| Ok(()) },
    Way { name: "reserved", prepare: |file| Ok(fallocate(file, FallocateFlags::empty(), 0, ROOM as u64)?) },
    Way { name: "written", prepare: |file| file.write_all_at(&vec![0; ROOM], 0) },
    Way {
        name: "in pages",
        prepare: |file| (0..ROOM).step_by(PAGE).try_for_each(|at| file.write_all_at(&[0; PAGE], at as u64)),
    },
];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("usage: append FOLDER [APPENDS]");
    let appends: usize = arguments.next().map_or(1000, |count| count.parse().expect("APPENDS is a number"));
    let path = |way: &Way| Path::new(&folder).join(format!("append-{}.tmp", way.name));
    let mut files = Vec::new();
    for way in &WAYS {
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(path(way))?;
        (way.prepare)(&file)?;
        file.sync_all()?;
        files.push((file, Vec::new()));
    }
    for number in 0..appends {
        for turn in 0..WAYS.len() {
            let (file, took) = &mut files[(number + turn) % WAYS.len()];
            let begun = Instant::now();
            file.write_all_at(&[1; APPEND], (number * APPEND) as u64)?;
            file.sync_data()?;
            took.push(begun.elapsed().as_secs_f64() * 1000.0);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    println!("p10 / p50 / p90 of {appends} appends of {APPEND} bytes, ms:");
    for (way, (_, mut took)) in WAYS.iter().zip(files) {
        took.sort_by(f64::total_cmp);
        let at = |tenths: usize| took[took.len() * tenths / 10];
        println!("  {:<9} {:.2} / {:.2} / {:.2}", way.name, at(1), at(5), at(9));
        std::fs::remove_file(path(way))?;
    }
    Ok(())
}
