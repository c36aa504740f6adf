"""A failed fsync is final (ARCHITECTURE.md, rule 8), on a disk that really fails one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import raftlog

from tests.replication.bad_disks import failing_disk
from tests.storage.making import CLUSTER, Log
from tinysns.storage.state import StateMachine

WRITER = Path(__file__).parents[1] / "native" / "single.py"
GROUP = 1


@pytest.fixture
def disk_at(tmp_path: Path) -> Path:
    """Where the failing disk is mounted."""
    path = tmp_path / "disk"
    path.mkdir()
    return path


def test_such_a_disk_says_that_all_is_well_when_it_is_asked_again(tmp_path: Path, disk_at: Path) -> None:
    """Why the rule is what it is: who tries again believes in data that is nowhere."""
    with failing_disk(tmp_path, disk_at) as disk, (disk_at / "file").open("wb", buffering=0) as file:
        disk.fail()
        file.write(b"x" * 100_000)
        with pytest.raises(OSError, match=r"No space left|Input/output error"):
            os.fsync(file.fileno())
        os.fsync(file.fileno())


def test_a_log_ends_its_process_and_keeps_what_it_had_committed(tmp_path: Path, disk_at: Path) -> None:
    with failing_disk(tmp_path, disk_at) as disk:
        raftlog.Log.open(str(disk_at / "log")).found(GROUP, [1])
        with subprocess.Popen(
            [sys.executable, str(WRITER), str(disk_at / "log")], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            committed = [writer.stdout.readline() for _ in range(16)]
            disk.fail()
            rest, said = writer.communicate(timeout=60)
        # It would have gone on for ever if it had asked the disk again, which says yes then.
        assert writer.returncode == -signal.SIGABRT
        assert b"fdatasync" in said
        disk.heal()
        committed += rest.splitlines()
        last = int(committed[-1].split()[0])
        log = raftlog.Log.open(str(disk_at / "log"))
        assert log.group(GROUP, 1, applied=last).status().last >= last  # refused if the log ended before it
        del log


def test_a_checkpoint_that_failed_promises_nothing(tmp_path: Path, disk_at: Path) -> None:
    with failing_disk(tmp_path, disk_at) as disk:
        state = StateMachine.create(disk_at / "state", CLUSTER)
        log = Log(state)
        log.login("ann")
        state.checkpoint()
        disk.fail()
        for _ in range(10):
            log.post("ann", "x" * 60_000)
        with pytest.raises(OSError, match=r"No space left|Input/output error"):
            state.checkpoint()
        state.close()
