"""A copy of one member's state becomes another's: made while entries are applied, checked, and all or nothing."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.applier import ENTRIES, long_log
from tests.storage.making import CLUSTER, Log, digest, entry, stage
from tinysns.domain.writes import Command, Login, Outcome
from tinysns.storage.copies import BadCopy
from tinysns.storage.reader import Reader
from tinysns.storage.state import StateMachine


@pytest.fixture
def source(machine: StateMachine, log: Log) -> StateMachine:
    """Stands at 5."""
    log.login("ann", "bob")
    log.follow("ann", "bob")
    log.post("bob", "x", "\0")
    machine.checkpoint()
    log.post("bob", "in the write-ahead log")
    return machine


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[StateMachine]:
    receiver = StateMachine.create(tmp_path / "receiver", CLUSTER)
    Log(receiver, session=77).login("old")
    yield receiver
    receiver.close()


def test_an_installed_copy_is_the_same_state_and_stays_it(
    source: StateMachine, receiver: StateMachine, tmp_path: Path
) -> None:
    assert source.copy_to(tmp_path / "copy") == 5
    staged = stage(receiver, tmp_path / "copy", 5)
    assert staged.applied_index == 5
    assert receiver.applied_index == 1  # not in force yet
    receiver.install(staged)
    assert (receiver.applied_index, receiver.installed_index) == (5, 5)
    assert digest(receiver) == digest(source)
    following = [entry(6, Command(77, 2, Login("old")), Command(1, 6, Login("cid")), Command(1, 6, Login("cid")))]
    answers = [effect.answer for effect in receiver.apply(following, 6)]
    assert answers == [effect.answer for effect in source.apply(following, 6)]
    assert [answer.outcome for answer in answers] == [Outcome.SESSION_EXPIRED, Outcome.DONE, Outcome.DONE]
    assert receiver.checkpoint() == 6
    receiver.close()
    reopened = StateMachine.open(tmp_path / "receiver", CLUSTER)
    assert (reopened.applied_index, reopened.installed_index) == (6, 5)
    assert digest(reopened) == digest(source)
    reopened.close()


def test_readers_follow_to_the_installed_state(source: StateMachine, receiver: StateMachine, tmp_path: Path) -> None:
    reader = Reader(receiver)
    assert reader.lists("old").users == ("old",)
    source.copy_to(tmp_path / "copy")
    staged = stage(receiver, tmp_path / "copy", 5)
    with reader._views.view() as before:
        receiver.install(staged)
        assert before.database.execute("SELECT name FROM users").fetchall() == [("old",)]  # a view is one to its end
        assert [post.text for post in reader.timeline("ann", 0, 9).posts] == ["x", "\0", "in the write-ahead log"]
    assert reader.lists("ann").users == ("ann", "bob")
    reader.close()


def test_a_reader_never_answers_from_a_file_that_was_just_put_out_of_force(
    source: StateMachine, receiver: StateMachine
) -> None:
    """The file may be half removed by then, and without its write-ahead log it shows an old state."""

    class Exchanged:
        asked = 0

        def database(self) -> Path:
            self.asked += 1
            return (receiver if self.asked == 1 else source).database()

    reader = Reader(Exchanged())
    assert reader.counts().applied_index == source.applied_index
    reader.close()


def test_a_copy_made_while_entries_are_applied_is_one_state_of_the_log(
    machine: StateMachine, receiver: StateMachine, tmp_path: Path
) -> None:
    log = list(long_log())
    begun = threading.Event()

    def apply() -> None:
        for index, data in log:
            machine.apply([(index, data)], index)
            if index == 300:
                begun.set()

    applying = threading.Thread(target=apply)
    applying.start()
    assert begun.wait(30)
    try:
        indexes = [machine.copy_to(tmp_path / f"copy{i}") for i in range(3)]
    finally:
        applying.join()
    assert 300 <= indexes[0] <= indexes[1] <= indexes[2] <= ENTRIES
    for i, index in enumerate(indexes):
        replayed = StateMachine.create(tmp_path / f"replayed{i}", CLUSTER)
        replayed.apply(log[:index], index)
        receiver.install(stage(receiver, tmp_path / f"copy{i}", index))
        assert digest(receiver) == digest(replayed)
        replayed.close()
    receiver.apply(log, ENTRIES)
    assert digest(receiver) == digest(machine)


def test_a_second_copy_may_stand_at_the_same_index(
    source: StateMachine, receiver: StateMachine, tmp_path: Path
) -> None:
    source.copy_to(tmp_path / "copy")
    for _ in range(3):
        receiver.install(stage(receiver, tmp_path / "copy", 5))
        assert digest(receiver) == digest(source)
        assert len(list((tmp_path / "receiver").iterdir())) == 2  # the pointer and what it names


def test_a_crash_at_any_step_leaves_the_old_or_the_new_state(
    source: StateMachine, receiver: StateMachine, tmp_path: Path
) -> None:
    old, new = digest(receiver), digest(source)
    images: list[str] = []

    def keep(step: str) -> None:
        images.append(step)
        shutil.copytree(tmp_path / "receiver", tmp_path / "images" / step)

    source.copy_to(tmp_path / "copy")
    keep("before")
    staging = receiver.stage()
    staging.write((tmp_path / "copy").read_bytes()[:20_000])
    keep("half received")
    staged = stage(receiver, tmp_path / "copy", 5)
    keep("staged")
    receiver.install(staged, keep)
    assert images == ["before", "half received", "staged", "placed", "placed durably", "pointed", "opened", "removed"]
    found = {}
    for step in images:
        folder = tmp_path / "images" / step
        survivor = StateMachine.open(folder, CLUSTER)
        found[step] = digest(survivor)
        assert survivor.installed_index == (0 if found[step] == old else 5)
        assert {path.name for path in folder.iterdir()} == {"current", survivor.database().parent.name}
        survivor.close()
    assert list(found.values()) == [old] * 5 + [new] * 3


def corrupt(copy: bytes, cause: str) -> bytes:
    if cause == "cut short":
        return copy[: len(copy) // 2]
    if cause == "a page overwritten":
        return copy[:8192] + b"\xaa" * 4096 + copy[12288:]
    return b"" if cause == "empty" else b"no database at all" * 1000


@pytest.mark.parametrize("cause", ["cut short", "a page overwritten", "empty", "something else"])
def test_a_damaged_copy_is_not_used(source: StateMachine, receiver: StateMachine, tmp_path: Path, cause: str) -> None:
    source.copy_to(tmp_path / "copy")
    (tmp_path / "copy").write_bytes(corrupt((tmp_path / "copy").read_bytes(), cause))
    with pytest.raises(BadCopy, match="the received state is not used"):
        stage(receiver, tmp_path / "copy", 5)
    assert {path.name for path in (tmp_path / "receiver").iterdir()} == {"current", "0"}
    assert receiver.applied_index == 1


def test_a_copy_at_another_index_or_of_another_cluster_is_not_used(
    source: StateMachine, receiver: StateMachine, tmp_path: Path
) -> None:
    source.copy_to(tmp_path / "copy")
    with pytest.raises(BadCopy, match="stands at log index 5, not 6"):
        stage(receiver, tmp_path / "copy", 6)
    other = StateMachine.create(tmp_path / "other", "77aa")
    with pytest.raises(BadCopy, match="belongs to cluster 4e9d"):
        stage(other, tmp_path / "copy", 5)
    other.close()


def test_a_copy_does_not_overwrite_a_file(source: StateMachine, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("mine")
    with pytest.raises(FileExistsError, match="exists already"):
        source.copy_to(tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "mine"


def test_a_copy_that_fails_leaves_nothing(source: StateMachine, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="unable to open"):
        source.copy_to(tmp_path / "missing" / "copy")
    assert not (tmp_path / "missing").exists()


def test_discarded_is_gone(receiver: StateMachine, tmp_path: Path) -> None:
    staging = receiver.stage()
    staging.write(b"x")
    staging.discard()
    staging.discard()
    assert {path.name for path in (tmp_path / "receiver").iterdir()} == {"current", "0"}
