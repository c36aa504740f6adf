"""The lab itself: it comes up, recovers from being killed, and its power cut loses exactly what was not fsynced.

All of this happens in a second lab beside the usual one, with names, addresses and state of its own: see second.py.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import second
from tests.lab.second import REPOSITORY

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

PREFIX = "labt"
STATE = Path("/var/lib", PREFIX)
SILENCE_SECONDS = 1.0


def environment() -> dict[str, str]:
    return second.environment(PREFIX, LAB_STATE=str(STATE), LAB_SUBNETS="10.76.0.0/24,10.77.0.0/24", LAB_DATA_MB="64")


def hosts(*arguments: str, repository: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return second.hosts(environment(), *arguments, repository=repository)


def good(*arguments: str) -> str:
    """What lab/hosts prints when it succeeds, which it must."""
    done = hosts(*arguments)
    assert done.returncode == 0, f"lab/hosts {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


def background(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [REPOSITORY / "lab/hosts", *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def on_host(host: str, script: str) -> str:
    return good("ssh", host, script).strip()


def booted_at(host: str) -> str:
    """When the host's PID 1 started, in clock ticks: another value means another boot."""
    return on_host(host, "cut -d' ' -f22 /proc/1/stat")


def file_system_check(disk: Path, mode: str) -> subprocess.CompletedProcess[str]:
    """e2fsck: mode -p repairs only what is safe, -n looks only."""
    return subprocess.run(["e2fsck", "-f", mode, disk], capture_output=True, text=True, check=False)


def leftovers() -> list[str]:
    """What this machine still has of the test's lab: mounts, loop devices, namespaces, control groups, processes."""
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {STATE}/" in line]
    loops = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "BACK-FILE"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    groups = Path("/sys/fs/cgroup").glob(f"**/{PREFIX}-h*")
    found = [*mounts, *(loop for loop in loops if loop.startswith(f"{STATE}/")), *map(str, groups)]
    found += [str(path) for path in (Path("/run/netns", PREFIX),) if path.exists()]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_text()
        except OSError:  # ended while we looked
            continue
        if f"--machine={PREFIX}-h" in words:
            found.append(words.replace("\0", " "))
    return found


@pytest.fixture(scope="module", autouse=True)
def _own_lab() -> Iterator[None]:
    if os.geteuid():
        pytest.fail("the lab's tests need root; run them with sudo")
    hosts("purge")  # of a run that was killed
    yield
    good("purge")
    assert not leftovers()
    assert not STATE.exists()


@pytest.fixture
def two_hosts() -> None:
    good("up", "--hosts", "2")


class TestUpAndDown:
    def test_up_is_safe_to_repeat_and_keeps_running_hosts(self) -> None:
        good("up", "--hosts", "3")
        boot = booted_at("h1")
        on_host("h3", "echo kept | sudo tee /srv/data/file")
        good("up", "--hosts", "3")
        assert booted_at("h1") == boot
        assert [line.split()[0] for line in good("status").splitlines()] == ["h1", "h2", "h3"]

        good("up", "--hosts", "2")
        assert [line.split()[0] for line in good("status").splitlines()] == ["h1", "h2"]
        refused = hosts("ssh", "h3", "true")
        assert refused.returncode == 1
        assert "h3 is not part of the lab now; run `lab/hosts up --hosts 3`" in refused.stderr

        good("up", "--hosts", "3")
        assert on_host("h3", "cat /srv/data/file") == "kept"

    def test_hosts_boot_without_a_failed_unit_and_hear_each_other(self, two_hosts: None) -> None:
        assert on_host("h1", "systemctl is-system-running --wait; systemctl --failed --no-legend") == "running"
        assert "0% packet loss" in on_host("h1", "ping -q -c 1 -W 30 h2")
        assert on_host("h1", "sudo id -un; mountpoint -q /srv/data && echo mounted") == "root\nmounted"
        assert on_host("h1", "ls -d /var/log/journal") == "/var/log/journal"

    def test_down_leaves_nothing_but_the_root_file_system(self, two_hosts: None) -> None:
        good("down")
        assert not leftovers()
        assert hosts("status").returncode == 3
        good("down")
        good("up", "--hosts", "1")
        assert on_host("h1", "ls -A /srv/data") == "lost+found"

    def test_any_clone_finds_the_running_lab(self, two_hosts: None, tmp_path: Path) -> None:
        shutil.copytree(REPOSITORY / "lab", tmp_path / "lab", ignore=shutil.ignore_patterns("__pycache__"))
        done = hosts("ssh", "h2", "hostname", repository=tmp_path)
        assert done.stdout.strip() == "h2", done.stderr

    @pytest.mark.parametrize("verb", ["up", "down"])
    def test_after_a_kill_at_any_moment_up_works(self, verb: str) -> None:
        moments = random.Random(f"kill {verb}")
        longest = {"up": 1.0, "down": 0.4}[verb]
        for _ in range({"up": 6, "down": 3}[verb]):
            good("down" if verb == "up" else "up", *([] if verb == "up" else ["--hosts", "2"]))
            process = background(verb, *(["--hosts", "2"] if verb == "up" else []))
            moment = moments.uniform(0.1, longest)
            time.sleep(moment)  # the moment is what this test varies; it waits for nothing
            process.send_signal(signal.SIGKILL)
            process.wait()
            again = hosts("up", "--hosts", "2")
            assert again.returncode == 0, f"{verb} killed after {moment:.2f} s: {again.stderr}"
            assert hosts("status").returncode == 0
            assert on_host("h2", "systemctl is-system-running --wait") == "running"


class TestPowerCut:
    def test_what_was_fsynced_is_kept_and_the_rest_is_lost(self, two_hosts: None) -> None:
        on_host(
            "h1",
            """sudo sh -c 'cd /srv/data; rm -rf *; echo yes > kept; echo first > grown; sync
            echo no > lost; echo second >> grown; mkdir folder; mv kept renamed'""",
        )
        good("power-cut", "h1")
        assert hosts("status").returncode == 3
        assert "h1 is off" in hosts("ssh", "h1", "true").stderr
        assert "h1 is off already" in hosts("power-cut", "h1").stderr
        assert on_host("h2", "echo alive") == "alive"

        good("boot", "h1")
        assert on_host("h1", "cd /srv/data; ls; cat kept grown") == "grown\nkept\nyes\nfirst"

    def test_every_acknowledged_commit_survives_it_under_load(self, two_hosts: None, tmp_path: Path) -> None:
        """A SQLite database and an append-only log, fsynced as fast as they go; each number printed is acknowledged."""
        writer = textwrap.dedent("""\
            import os, sqlite3
            base = sqlite3.connect("/srv/data/load.db", isolation_level=None)
            base.execute("pragma journal_mode=wal"); base.execute("pragma synchronous=full")
            base.execute("create table if not exists t (n integer primary key, filler blob)")
            log = os.open("/srv/data/load.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for number in range(10**9):
                os.write(log, b"%09d\\n" % number); os.fdatasync(log)
                base.execute("insert into t values (?, randomblob(2000))", (number,))
                print(number, flush=True)
            """)
        on_host("h1", f"cat > /tmp/writer.py <<'EOF'\n{writer}EOF\nsudo rm -f /srv/data/load*")
        load = background("ssh", "h1", "sudo python3 /tmp/writer.py")
        assert load.stdout is not None
        acknowledged = -1
        while acknowledged < 1000:
            acknowledged = int(load.stdout.readline())
        good("power-cut", "h1")
        rest, _ = load.communicate(timeout=120)
        acknowledged = max([acknowledged, *(int(line) for line in rest.splitlines() if line.isdigit())])

        copy = tmp_path / "data.img"
        subprocess.run(["cp", "--sparse=always", STATE / "hosts/h1/data.img", copy], check=True)
        assert "recovering journal" in file_system_check(copy, "-p").stdout
        clean = file_system_check(copy, "-n")
        assert clean.returncode == 0, clean.stdout

        good("boot", "h1")
        found = on_host(
            "h1",
            """cd /srv/data
            sudo sqlite3 load.db 'pragma integrity_check; select count(*), max(n) from t'
            grep -c '^[0-9]\\{9\\}$' load.log""",
        )
        integrity, rows, lines = found.splitlines()
        count, last = (int(word) for word in rows.split("|"))
        assert integrity == "ok"
        assert count == last + 1 > acknowledged
        assert int(lines) > acknowledged

    def test_its_peers_hear_no_goodbye(self, two_hosts: None) -> None:
        script = textwrap.dedent(f"""\
            import socket
            connection = socket.create_connection(("10.77.0.11", 22), 60)
            print(connection.recv(8), flush=True)
            connection.settimeout({SILENCE_SECONDS})
            try:
                while data := connection.recv(4096):
                    connection.settimeout({SILENCE_SECONDS})
                print("goodbye")
            except TimeoutError:
                print("silence")
            """)
        peer = background("exec", sys.executable, "-c", script)
        assert peer.stdout is not None
        assert "SSH-2.0-" in peer.stdout.readline()
        good("power-cut", "h1")
        assert peer.communicate(timeout=120)[0].strip() == "silence"
        good("boot", "h1")

    def test_a_host_with_a_frozen_disk_can_be_cut_too(self, two_hosts: None) -> None:
        on_host(
            "h1",
            "echo x | sudo tee /srv/data/x; sync; sudo fsfreeze -f /srv/data;"
            " sudo systemd-run -q sh -c 'echo y > /srv/data/y'",
        )
        good("power-cut", "h1")
        good("boot", "h1")
        assert on_host("h1", "cat /srv/data/x; test ! -s /srv/data/y && echo lost") == "x\nlost"

    def test_up_ends_what_a_killed_power_cut_left_running(self, two_hosts: None) -> None:
        """Killed between taking the disk away and ending the host, it would leave a host without a disk."""
        before = booted_at("h1")
        (STATE / "hosts/h1/ending").touch()
        good("up", "--hosts", "2")
        assert booted_at("h1") != before
        assert on_host("h1", "sudo touch /srv/data/x && echo writable") == "writable"


class TestMessages:
    @pytest.mark.parametrize("command", ["ssh h1", "ssh --print h1", "exec true", "power-cut h1", "boot h1"])
    def test_a_lab_that_is_not_up_is_said_in_one_sentence(self, command: str) -> None:
        good("down")
        done = hosts(*command.split())
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "lab: the lab is not up; run `lab/hosts up`\n")

    def test_an_unknown_host_is_answered_with_the_known_ones(self) -> None:
        done = hosts("power-cut", "h9")
        assert (done.returncode, done.stderr) == (1, "lab: there is no host 'h9'; there are h1, h2, h3, h4\n")

    def test_a_missing_package_is_answered_with_the_line_that_installs_it(self, tmp_path: Path) -> None:
        (tmp_path / "ip").symlink_to("/bin/true")
        done = subprocess.run(
            [sys.executable, REPOSITORY / "lab/hosts", "up"],
            stdin=subprocess.DEVNULL,
            env=environment() | {"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "run: apt-get install -y --no-install-recommends e2fsprogs mmdebstrap mount" in done.stderr
        assert "iproute2" not in done.stderr

    def test_a_state_folder_that_cannot_hold_hosts_is_refused(self, tmp_path: Path) -> None:
        good("down")
        script = """cd "$1" && mkdir lower upper work merged &&
            mount -t overlay test -o lowerdir=lower,upperdir=upper,workdir=work merged &&
            LAB_STATE="$1/merged" "$2" up"""
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", tmp_path, REPOSITORY / "lab/hosts"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "set LAB_STATE to a folder on ext4" in done.stderr
        assert not list((tmp_path / "upper").iterdir())

    def test_a_state_folder_that_cannot_be_made_is_said(self) -> None:
        done = subprocess.run(
            [REPOSITORY / "lab/hosts", "up"],
            env=environment() | {"LAB_STATE": "/proc/lab"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith("lab: the lab cannot keep its state in /proc/lab")

    def test_a_command_inside_keeps_its_own_options_and_exit_code(self, two_hosts: None) -> None:
        assert good("exec", "sh", "-c", 'echo "$@"', "sh", "--hosts", "-l") == "--hosts -l\n"
        assert hosts("exec", "sh", "-c", "exit 7").returncode == 7
        assert good("ssh", "--print", "h2") == f"ssh -F {STATE}/ssh_config h2\n"
