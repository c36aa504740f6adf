"""What each write does, and what becomes of sessions: the rules of domain/writes.py on the real file."""

from pathlib import Path

import pytest

from tests.storage.making import CLUSTER, Log, digest, entry, outcomes, post
from tinysns.domain.positions import MAX_NUMBER, position_at
from tinysns.domain.writes import (
    SESSION_LIFETIME_ENTRIES,
    SESSION_WINDOW,
    Answer,
    Command,
    Follow,
    Login,
    Outcome,
    Post,
    Unfollow,
    Write,
)
from tinysns.storage.entries import UnreadableEntry
from tinysns.storage.reader import Reader
from tinysns.storage.schema import StateError
from tinysns.storage.state import StateMachine


def test_an_empty_state_has_applied_nothing(machine: StateMachine) -> None:
    assert machine.applied_index == machine.installed_index == 0


def test_the_first_login_is_done_and_the_next_is_welcomed_back(log: Log) -> None:
    assert log.do(Login("ann")) == Answer(Outcome.DONE, position_at(1, 0))
    assert log.do(Login("ann")) == Answer(Outcome.WELCOME_BACK, position_at(2, 0))


@pytest.mark.parametrize(
    ("write", "outcome"),
    [
        (Follow("ann", "bob"), Outcome.DONE),
        (Follow("ann", "ann"), Outcome.ALREADY_FOLLOWING),
        (Follow("ann", "cid"), Outcome.ALREADY_FOLLOWING),
        (Follow("ann", "nobody"), Outcome.UNKNOWN_USER),
        (Follow("nobody", "ann"), Outcome.UNKNOWN_USER),
        (Follow("nobody", "nobody"), Outcome.UNKNOWN_USER),
        (Unfollow("ann", "cid"), Outcome.DONE),
        (Unfollow("ann", "bob"), Outcome.NOT_FOLLOWING),
        (Unfollow("cid", "ann"), Outcome.NOT_FOLLOWING),
        (Unfollow("ann", "ann"), Outcome.INVALID_TARGET),
        (Unfollow("ann", "nobody"), Outcome.UNKNOWN_USER),
        (Unfollow("nobody", "nobody"), Outcome.UNKNOWN_USER),
        (Post("ann", ("x",)), Outcome.DONE),
        (Post("nobody", ("x",)), Outcome.UNKNOWN_USER),
    ],
)
def test_each_write_has_its_outcome(log: Log, write: Write, outcome: Outcome) -> None:
    log.login("ann", "bob", "cid")
    log.follow("ann", "cid")
    assert log.do(write).outcome is outcome


def test_a_refused_write_uses_its_number_and_its_answer_is_remembered(machine: StateMachine) -> None:
    early, login = post(5, 1, "ann", "x"), Command(6, 1, Login("ann"))
    machine.apply([entry(1, early, login)], 1)
    again, second = machine.apply([entry(2, early, post(5, 2, "ann", "y"))], 2)
    assert (again.answer.outcome, again.fresh) == (Outcome.UNKNOWN_USER, False)
    assert (second.answer.outcome, second.fresh) == (Outcome.DONE, True)


def test_positions_count_texts_and_every_other_executed_command_as_one(machine: StateMachine) -> None:
    effects = machine.apply(
        [
            entry(
                3,
                Command(5, 1, Login("ann")),
                Command(5, 1, Login("ann")),  # a retry takes no position
                post(5, 2, "ann", "a", "b", "c"),
                post(5, 9, "ann", "gap"),
                post(5, 3, "nobody", "a", "b"),
                post(5, 4, "ann", "d"),
            )
        ],
        3,
    )
    assert [effect.answer.position & 0xFFFF for effect in effects if effect.fresh] == [0, 1, 4, 6]
    assert [effect.fresh for effect in effects] == [True, False, True, False, True, True]


def test_a_gap_is_not_executed_and_says_what_comes_next(machine: StateMachine, reader: Reader) -> None:
    (_, gap, filled) = machine.apply(
        [entry(1, Command(5, 1, Login("ann")), post(5, 3, "ann", "early"), post(5, 2, "ann", "x"))], 1
    )
    assert gap.answer == Answer(Outcome.GAP, expected=3 - 1)
    assert not gap.fresh
    assert filled.fresh


def test_a_session_that_is_not_known_begins_with_one(machine: StateMachine) -> None:
    commands = (Command(5, 2, Login("ann")), Command(5, 1, Login("ann")))
    assert outcomes(machine, [entry(1, *commands)]) == [Outcome.SESSION_EXPIRED, Outcome.DONE]


def test_the_whole_window_is_answered_again_and_nothing_older(machine: StateMachine) -> None:
    last = SESSION_WINDOW + 1
    first = machine.apply([entry(1, *(Command(5, n, Login(f"u{n}")) for n in range(1, last + 1)))], 1)
    again = machine.apply([entry(2, *(Command(5, n, Login(f"u{n}")) for n in range(0, last + 1)))], 2)
    assert [effect.answer.outcome for effect in again[:2]] == [Outcome.SESSION_EXPIRED] * 2
    assert [effect.answer for effect in again[2:]] == [effect.answer for effect in first[1:]]
    assert not any(effect.fresh for effect in again)


def test_the_window_survives_a_restart(machine: StateMachine, tmp_path: Path) -> None:
    commands = [Command((1 << 64) - 1, n, Login(f"u{n}")) for n in range(1, 101)]
    first = machine.apply([entry(1, *commands)], 1)
    machine.close()
    reopened = StateMachine.open(tmp_path / "state", CLUSTER)
    again = reopened.apply([entry(2, *commands[-SESSION_WINDOW:])], 2)
    reopened.close()
    assert [effect.answer for effect in again] == [effect.answer for effect in first[-SESSION_WINDOW:]]


@pytest.mark.parametrize(("unused", "known"), [(SESSION_LIFETIME_ENTRIES, True), (SESSION_LIFETIME_ENTRIES + 1, False)])
def test_a_session_is_forgotten_by_log_position_alone(machine: StateMachine, unused: int, known: bool) -> None:
    machine.apply([entry(1, Command(5, 1, Login("ann")))], 1)
    (effect,) = machine.apply([entry(1 + unused, Command(5, 2, Login("bob")))], 1 + unused)
    assert effect.answer.outcome is (Outcome.DONE if known else Outcome.SESSION_EXPIRED)


def test_an_expired_session_may_begin_again_also_before_it_is_deleted(machine: StateMachine) -> None:
    later = SESSION_LIFETIME_ENTRIES + 2
    machine.apply([entry(1, Command(5, 1, Login("ann")), Command(5, 2, Login("bob")))], 1)
    anew = entry(later, Command(5, 1, Login("cid")), Command(5, 3, Login("dan")))
    assert outcomes(machine, [anew]) == [Outcome.DONE, Outcome.GAP]


def test_expired_sessions_are_deleted_little_by_little_and_the_digest_does_not_show_when(
    machine: StateMachine, reader: Reader, tmp_path: Path
) -> None:
    many = entry(1, *(Command(session, 1, Login("ann")) for session in range(1, 201)))
    later = SESSION_LIFETIME_ENTRIES + 2
    entries = [entry(later + i, Command(999, 1 + i, Login("ann"))) for i in range(4)]
    other = StateMachine.create(tmp_path / "other", CLUSTER)
    other.apply([many, *entries], later + 3)
    machine.apply([many], 1)
    left = []
    for index, data in entries:
        machine.apply([(index, data)], index)
        left.append(reader.counts().sessions)
    assert left == [201 - 64, 201 - 128, 201 - 192, 1]
    assert digest(machine) == digest(other)
    other.close()


def test_an_entry_without_room_refuses_the_rest_in_the_same_way_everywhere(machine: StateMachine) -> None:
    machine.apply([entry(1, Command(5, 1, Login("ann")))], 1)
    full = ("x",) * (MAX_NUMBER + 1)
    fits, over, small, retry = machine.apply(
        [
            entry(
                2,
                post(5, 2, "ann", *full[1:]),
                post(5, 3, "ann", "a", "b"),
                post(6, 1, "ann", "c"),
                post(5, 2, "ann", "x"),
            )
        ],
        2,
    )
    assert fits.answer == retry.answer == Answer(Outcome.DONE, position_at(2, 0))
    assert over.answer == small.answer == Answer(Outcome.INVALID)
    assert not over.fresh
    assert outcomes(machine, [entry(3, post(5, 3, "ann", "a", "b"))]) == [Outcome.DONE]  # its number was not used up


@pytest.mark.parametrize(
    "command",
    [
        Command(0, 0, Login("")),
        Command(0, 1, Login("a b\0c")),
        Command((1 << 64) - 1, (1 << 64) - 1, Login("ann")),
        Command(5, 1, Post("ann", ())),
        Command(5, 1, Post("ann", ("",))),
        Command(5, 1, Post("ann", ("x" * 2_000_000,))),
        Command(5, 1, Follow("", "")),
    ],
)
def test_nothing_that_can_be_decoded_stops_a_member(machine: StateMachine, command: Command) -> None:
    machine.apply([entry(1, Command(9, 1, Login("ann")))], 1)
    effects = machine.apply([entry(2, command, time_unix_ns=(1 << 64) - 1)], 2)
    assert len(effects) == 1
    assert machine.applied_index == 2


def test_an_entry_that_cannot_be_read_changes_nothing(machine: StateMachine) -> None:
    with pytest.raises(UnreadableEntry):
        machine.apply([entry(1, Command(5, 1, Login("ann"))), (2, b"\xff")], 2)
    assert machine.applied_index == 0
    assert outcomes(machine, [entry(1, Command(5, 1, Login("ann")))]) == [Outcome.DONE]


def test_entries_that_were_applied_are_skipped_without_effects(machine: StateMachine) -> None:
    first, second = entry(1, Command(5, 1, Login("ann"))), entry(2, Command(5, 2, Login("bob")))
    machine.apply([first], 1)
    assert [effect.entry_index for effect in machine.apply([first, second], 2)] == [2]
    assert machine.apply([first, second], 2) == []


def test_the_applied_index_moves_over_entries_that_are_not_ours(machine: StateMachine, tmp_path: Path) -> None:
    assert machine.apply([], 7) == []
    assert machine.applied_index == 7
    machine.apply([(8, b"")], 9)
    machine.close()
    reopened = StateMachine.open(tmp_path / "state", CLUSTER)
    assert reopened.applied_index == 9
    reopened.close()


def test_after_a_failed_write_nothing_more_is_applied(machine: StateMachine, tmp_path: Path) -> None:
    machine.apply([entry(1, Command(5, 1, Login("ann")))], 1)
    broken = machine._opened.writer
    broken.execute("CREATE TRIGGER full_disk BEFORE INSERT ON posts BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(Exception, match="full"):
        machine.apply([entry(2, post(5, 2, "ann", "x"))], 2)
    with pytest.raises(StateError, match="restart this master"):
        machine.apply([entry(3, post(5, 3, "ann", "x"))], 3)
    assert machine.applied_index == 1
