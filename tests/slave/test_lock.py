"""The lock that a master holds for life."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.slave.support import environment
from tinysns.master.lock import hold_lock
from tinysns.runtime import pidlock
from tinysns.runtime.process import CannotStart


def test_a_second_master_is_told_who_the_first_one_is(tmp_path: Path) -> None:
    lock = tmp_path / "master.lock"
    with hold_lock(lock):
        assert pidlock.read_pid(lock) == os.getpid()
        with pytest.raises(CannotStart, match=rf"another master runs on this host already \(pid {os.getpid()}"):
            hold_lock(lock).__enter__()
    with hold_lock(lock):
        pass


def test_no_runtime_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="does the runtime folder exist"):
        hold_lock(tmp_path / "missing" / "master.lock").__enter__()


def test_a_child_holds_the_lock_from_before_its_first_line_until_its_end(tmp_path: Path) -> None:
    lock = tmp_path / "master.lock"
    claim = pidlock.claim(lock)
    assert isinstance(claim, pidlock.Claim)
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"],
        stdin=subprocess.PIPE,
        pass_fds=(claim.descriptor,),
        env=environment(**{pidlock.ENVIRONMENT: str(claim.descriptor)}),
    )
    try:
        claim.pass_to(child.pid)
        holder = pidlock.claim(lock)
        assert isinstance(holder, pidlock.Holder)
        assert holder.pid == child.pid
        os.close(holder.pidfd)
    finally:
        child.kill()
        child.communicate()
    free = pidlock.claim(lock)
    assert isinstance(free, pidlock.Claim)
    assert pidlock.read_pid(lock) == 0, "the pid of the dead is gone"
    free.give_up()


def test_a_descriptor_that_is_not_the_lock_is_not_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "master.lock"
    for value in ("0", "99999", "nonsense"):
        monkeypatch.setenv(pidlock.ENVIRONMENT, value)
        with hold_lock(lock):
            assert pidlock.read_pid(lock) == os.getpid()
            assert pidlock.ENVIRONMENT not in os.environ


def test_a_lock_file_that_was_removed_and_made_again_is_another_lock(tmp_path: Path) -> None:
    lock = tmp_path / "master.lock"
    with hold_lock(lock):
        lock.unlink()
        with hold_lock(lock):
            assert pidlock.read_pid(lock) == os.getpid()
