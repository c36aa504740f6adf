"""Founding, opening and the order of writes: what is refused, so that it can never be done by mistake."""

from pathlib import Path

import pytest
import raftlog
from single import lead, pump


def test_a_group_is_founded_once(log: raftlog.Log) -> None:
    with pytest.raises(raftlog.RaftError, match="a group is founded once"):
        log.found(1, [1])
    with pytest.raises(raftlog.RaftError, match="a group is founded once"):
        log.found(1, [])


def test_founding_survives_a_restart(tmp_path: Path) -> None:
    raftlog.Log.open(str(tmp_path)).found(1, [1, 2, 3])
    log = raftlog.Log.open(str(tmp_path))
    assert log.group(1, 2).members() == ([1, 2, 3], [])
    with pytest.raises(raftlog.RaftError, match="founded once"):
        log.found(1, [2])


@pytest.mark.parametrize("voters", [[0, 1], [1, 1]])
def test_impossible_voters_are_refused(tmp_path: Path, voters: list[int]) -> None:
    with pytest.raises(ValueError, match="voters are distinct numbers"):
        raftlog.Log.open(str(tmp_path)).found(1, voters)


def test_opening_never_founds(tmp_path: Path) -> None:
    log = raftlog.Log.open(str(tmp_path))
    for _ in range(2):
        with pytest.raises(raftlog.NotFounded, match="group 5 is not in this log"):
            log.group(5, 1)


def test_a_group_is_open_once_and_can_be_opened_again_afterwards(log: raftlog.Log) -> None:
    group = log.group(1, 1)
    with pytest.raises(RuntimeError, match="open already"):
        log.group(1, 1)
    del group
    log.group(1, 1)


def test_groups_share_a_log(log: raftlog.Log) -> None:
    log.found(2, [1])
    groups = [lead(log), log.group(2, 1)]
    groups[1].campaign()
    pump(log, groups[1])
    groups[0].propose([b"one"])
    groups[1].propose([b"two"])
    readies = [group.ready() for group in groups]
    log.write([ready.write for ready in readies if ready])
    for group, ready in zip(groups, readies, strict=True):
        assert ready is not None
        group.persisted(ready.write)
    assert [pump(log, group)[0][1] for group in groups] == [b"one", b"two"]


def test_a_directory_in_use_is_refused(log: raftlog.Log, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the log directory is in use"):
        raftlog.Log.open(str(tmp_path / "alone"))


def test_nothing_is_persisted_before_it_is_written(log: raftlog.Log) -> None:
    group = log.group(1, 1)
    group.campaign()
    ready = group.ready()
    assert ready is not None
    with pytest.raises(RuntimeError, match="not written yet"):
        group.persisted(ready.write)
    log.write([ready.write])
    group.persisted(ready.write)
    with pytest.raises(RuntimeError, match="out of order"):
        group.persisted(ready.write)


def two_writes(group: raftlog.Group) -> tuple[raftlog.Write, raftlog.Write]:
    writes = []
    for data in (b"a", b"b"):
        group.propose([data])
        ready = group.ready()
        assert ready is not None
        assert (ready.write.entries, ready.write.sync) == (1, True)
        writes.append(ready.write)
    return writes[0], writes[1]


def test_writes_are_made_once_and_in_order(log: raftlog.Log) -> None:
    group = lead(log)
    first, second = two_writes(group)
    for wrong in ([second], [second, first], [first, first]):
        with pytest.raises(RuntimeError, match="once and in order"):
            log.write(wrong)
    log.write([first, second])  # a refused call has taken nothing
    with pytest.raises(RuntimeError, match="once and in order"):
        log.write([first])
    with pytest.raises(RuntimeError, match="out of order"):
        group.persisted(second)
    group.persisted(first)
    group.persisted(second)
    assert [data for _, data in pump(log, group)] == [b"a", b"b"]


def test_what_a_closed_group_left_behind_is_not_written(log: raftlog.Log) -> None:
    group = lead(log)
    first, _ = two_writes(group)
    del group
    with pytest.raises(RuntimeError, match="while its group is open"):
        log.write([first])


def test_a_write_belongs_to_its_log(log: raftlog.Log, tmp_path: Path) -> None:
    first, _ = two_writes(lead(log))
    with pytest.raises(RuntimeError, match="another log"):
        raftlog.Log.open(str(tmp_path / "other")).write([first])


def test_a_state_beyond_the_end_of_the_log_is_refused(log: raftlog.Log) -> None:
    lead(log)
    last = log.group(1, 1).status().last
    with pytest.raises(raftlog.Corrupt, match=f"the log ends at {last} but the state had applied {last + 1}"):
        log.group(1, 1, applied=last + 1)


def test_a_state_before_the_start_of_the_log_is_refused(log: raftlog.Log) -> None:
    group = lead(log)
    group.propose([b"x"] * 50)
    pump(log, group)
    write = group.compact(40, keep=5)
    log.write([write])
    group.persisted(write)
    del group, write
    with pytest.raises(raftlog.Corrupt, match="the state is at 34 but the log begins at 36"):
        log.group(1, 1, applied=34)
    assert [index for index, _ in pump(log, log.group(1, 1, applied=35))][:2] == [36, 37]


def test_this_is_the_build_that_fsyncs() -> None:
    assert raftlog.FSYNC
