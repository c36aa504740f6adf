"""What survives: a kill, a power cut, readers who hold the file, a state that is not ours."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.storage.applier import ENTRIES, long_log
from tests.storage.making import CLUSTER, Log, digest
from tinysns.storage import disk, state
from tinysns.storage.reader import Reader
from tinysns.storage.schema import ForeignState, StateError, UnknownSchema
from tinysns.storage.state import StateMachine


def test_killed_at_any_moment_and_replayed_it_is_the_same_state(tmp_path: Path, machine: StateMachine) -> None:
    folder = tmp_path / "killed"
    StateMachine.create(folder, CLUSTER).close()
    log = list(long_log())
    for target in (1, 150, 700, 1501):
        command = [sys.executable, "-m", "tests.storage.applier", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                reported = next(index for line in process.stdout if (index := int(line)) >= target)
            finally:
                process.kill()
        killed = StateMachine.open(folder, CLUSTER)
        assert killed.applied_index >= reported
        killed.close()
    killed = StateMachine.open(folder, CLUSTER)
    killed.apply(log, ENTRIES)
    machine.apply(log, ENTRIES)
    assert digest(killed) == digest(machine)
    killed.close()


def test_what_a_checkpoint_promises_is_in_what_was_synced_even_if_a_reader_holds_the_file(
    tmp_path: Path, machine: StateMachine, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut keeps what was synced: here the database as it was made, and the write-ahead log at its sync."""
    cut = tmp_path / "cut"
    shutil.copytree(machine.database().parent.parent, cut, ignore=shutil.ignore_patterns("*-shm", "*-wal"))

    def sync_and_keep(path: Path) -> None:
        disk.sync_file(path)
        shutil.copy(path, cut / "0" / path.name)

    monkeypatch.setattr(state, "sync_file", sync_and_keep)
    log.login("ann")
    reader = Reader(machine)
    with reader._views.view():
        log.login("bob", "cid")
        promised = machine.checkpoint()
        promised_digest = digest(machine)
        log.login("dan")
    reader.close()
    assert promised == 3
    survivor = StateMachine.open(cut, CLUSTER)
    assert digest(survivor) == promised_digest
    survivor.close()


def test_the_write_ahead_log_does_not_grow_for_ever(
    machine: StateMachine, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "WAL_LIMIT_BYTES", 100_000)
    write_ahead_log = machine._opened.write_ahead_log
    log.login("ann", "bob")
    reader = Reader(machine)
    with reader._views.view():
        log.post("bob", *("x" * 1000,) * 200)
        assert machine.checkpoint() == machine.applied_index  # cannot empty it now, and does not wait for it either
        assert write_ahead_log.stat().st_size > 100_000
    log.post("bob", "x")
    assert machine.checkpoint() == machine.applied_index
    assert write_ahead_log.stat().st_size == 0
    log.follow("ann", "bob")
    log.post("bob", "last")
    assert [post.text for post in reader.timeline("ann", 0, 9).posts] == ["last"]
    reader.close()


def test_a_founding_that_was_interrupted_is_done_again(tmp_path: Path) -> None:
    images = []

    def keep(step: str) -> None:
        images.append(step)
        shutil.copytree(tmp_path / "state", tmp_path / step)

    StateMachine.create(tmp_path / "state", CLUSTER, keep).close()
    assert images == ["placed", "placed durably", "pointed"]
    for step in images[:2]:
        with pytest.raises(StateError, match="there is no state"):
            StateMachine.open(tmp_path / step, CLUSTER)
        StateMachine.create(tmp_path / step, CLUSTER).close()
    for step in images:
        machine = StateMachine.open(tmp_path / step, CLUSTER)
        assert machine.applied_index == 0
        machine.close()


def test_a_state_is_never_replaced_by_an_empty_one(machine: StateMachine, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="not replaced by an empty one"):
        StateMachine.create(tmp_path / "state", CLUSTER)


def test_a_state_of_another_cluster_is_refused(machine: StateMachine, tmp_path: Path) -> None:
    machine.close()
    with pytest.raises(ForeignState, match="belongs to cluster 4e9d, not to 77aa"):
        StateMachine.open(tmp_path / "state", "77aa")


@pytest.mark.parametrize(
    ("pragma", "why"), [("user_version = 9", "schema version 9"), ("application_id = 1", "not a state of Tiny SNS")]
)
def test_a_schema_that_we_do_not_know_is_refused(machine: StateMachine, tmp_path: Path, pragma: str, why: str) -> None:
    machine.close()
    with sqlite3.connect(machine.database()) as database:
        database.execute(f"PRAGMA {pragma}")
    database.close()
    with pytest.raises(UnknownSchema, match=why):
        StateMachine.open(tmp_path / "state", CLUSTER)


@pytest.mark.parametrize("content", ["", "7\n", "../elsewhere\n"])
def test_a_pointer_to_nothing_is_named_and_nothing_is_removed(
    machine: StateMachine, tmp_path: Path, content: str
) -> None:
    machine.close()
    (tmp_path / "state" / "current").write_text(content)
    with pytest.raises(StateError, match="holds no state"):
        StateMachine.open(tmp_path / "state", CLUSTER)
    assert machine.database().exists()
