"""Killed writers and damaged files: what is acknowledged is there, or the member says that it is damaged."""

import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import raftlog
import single
from single import GROUP, lead, pump

KILLS = 8
READ = """
import sys, raftlog, test_damage
print(len(test_damage.replay(raftlog.Log.open(sys.argv[1]))))
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own, which may abort."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("kill", range(KILLS))
def test_what_a_killed_writer_had_committed_is_there(tmp_path: Path, kill: int) -> None:
    raftlog.Log.open(str(tmp_path)).found(GROUP, [1])
    enough = random.Random(kill).randrange(2, 4_000)
    with subprocess.Popen([sys.executable, single.__file__, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        output = b""
        try:
            while len(output) < enough and select.select([writer.stdout], [], [], 10)[0]:
                output += os.read(writer.stdout.fileno(), 512)
        finally:
            writer.send_signal(signal.SIGKILL)
        output += writer.stdout.read()
    acknowledged = [int(line.split()[0]) for line in output.split(b"\n")[:-1]]
    assert acknowledged
    log = raftlog.Log.open(str(tmp_path))
    group = log.group(GROUP, 1, applied=acknowledged[-1])  # refused if the log ended before it
    assert group.status().last >= acknowledged[-1]
    del group
    assert [index for index, _ in replay(log)][: len(acknowledged)] == acknowledged


def replay(log: raftlog.Log) -> list[tuple[int, bytes]]:
    """All entries that are committed, from the beginning."""
    group = log.group(GROUP, 1)
    group.campaign()
    return pump(log, group)


def written(directory: Path, entries: int = 500) -> tuple[Path, int]:
    """A log with that many entries; returns its only file and where the data in it ends."""
    log = raftlog.Log.open(str(directory))
    log.found(GROUP, [1])
    group = lead(log)
    for number in range(entries):
        group.propose([b"%06d" % number * 20])
        pump(log, group)
    del group, log
    (file,) = directory.glob("*.raftlog")
    return file, len(file.read_bytes().rstrip(b"\0"))


def test_a_torn_tail_opens_without_its_last_entry(tmp_path: Path) -> None:
    file, end = written(tmp_path)
    os.truncate(file, end - 5)
    committed = replay(raftlog.Log.open(str(tmp_path)))
    assert 490 <= len(committed) <= 500
    assert [data for _, data in committed] == [b"%06d" % number * 20 for number in range(len(committed))]


def test_a_log_that_lost_its_end_is_refused_for_a_state_that_had_more(tmp_path: Path) -> None:
    file, end = written(tmp_path)
    content = bytearray(file.read_bytes())
    content[end // 2 : end // 2 + 4096] = bytes(4096)  # a lost page: what follows is taken for a torn tail
    file.write_bytes(content)
    log = raftlog.Log.open(str(tmp_path))
    with pytest.raises(raftlog.Corrupt, match="the log lost its end"):
        log.group(GROUP, 1, applied=501)


def test_strict_recovery_refuses_a_torn_tail(tmp_path: Path) -> None:
    file, end = written(tmp_path)
    os.truncate(file, end - 5)
    with pytest.raises(raftlog.Corrupt):
        raftlog.Log.open(str(tmp_path), recovery="strict")


def test_a_flipped_byte_in_an_entry_ends_the_process_that_reads_it(tmp_path: Path) -> None:
    file, _ = written(tmp_path)
    assert run(READ, str(tmp_path)).stdout == "500\n"
    content = bytearray(file.read_bytes())
    content[content.index(b"000250" * 3)] ^= 0x40
    file.write_bytes(content)
    result = run(READ, str(tmp_path))
    assert (result.returncode, result.stdout) == (-signal.SIGABRT, "")
