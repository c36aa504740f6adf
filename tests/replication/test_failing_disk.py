"""A failed fsync is final (ARCHITECTURE.md, rule 8), on a disk that really fails one."""

import os
from pathlib import Path

import pytest

from tests.replication.bad_disks import failing_disk
from tests.storage.making import CLUSTER, Log
from tinysns.storage.state import StateMachine


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
