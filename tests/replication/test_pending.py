"""Commands that wait to be seen applied."""

import pytest

from tinysns.domain.writes import Answer, Command, Effect, Login, Outcome
from tinysns.replication.interface import NotServing
from tinysns.replication.pending import Pending


def effect(session: int, number: int, answer: Answer) -> Effect:
    return Effect(1, Command(session, number, Login("ann")), answer, fresh=True, time_unix_ns=0)


async def test_the_answer_reaches_everybody_who_waits_for_the_same_command() -> None:
    pending = Pending()
    first, is_new = pending.add(7, 1, b"a", now=0)
    second, is_new_again = pending.add(7, 1, b"a", now=1)
    assert (is_new, is_new_again) == (True, False)
    assert pending.settle(effect(7, 1, Answer(Outcome.DONE, position=5)))
    assert (await first).position == (await second).position == 5
    assert len(pending) == 0


async def test_a_gap_whose_predecessor_is_pending_here_is_not_told_to_the_client() -> None:
    pending = Pending()
    pending.add(7, 1, b"a", now=0)
    second, _ = pending.add(7, 2, b"b", now=0)
    assert not pending.settle(effect(7, 2, Answer(Outcome.GAP, expected=1)))
    assert not second.done()
    assert list(pending.encoded()) == [b"a", b"b"]


async def test_a_gap_that_only_the_client_can_close_is_told() -> None:
    pending = Pending()
    third, _ = pending.add(7, 3, b"c", now=0)
    assert pending.settle(effect(7, 3, Answer(Outcome.GAP, expected=2)))
    assert (await third).expected == 2


async def test_failed_waiters_leave_their_commands_so_that_a_session_gets_no_hole() -> None:
    pending = Pending()
    waiter, _ = pending.add(7, 1, b"a", now=0)
    pending.fail_waiters(NotServing("no leader"))
    with pytest.raises(NotServing):
        await waiter
    assert list(pending.encoded()) == [b"a"]
    again, is_new = pending.add(7, 1, b"a", now=0)
    assert not is_new
    assert pending.settle(effect(7, 1, Answer(Outcome.DONE)))
    assert (await again).outcome is Outcome.DONE


async def test_a_command_is_overdue_a_second_after_its_last_submission_and_then_twice_as_late_each_time() -> None:
    pending = Pending()
    pending.add(7, 1, b"a", now=10.0)
    pending.add(7, 2, b"b", now=10.5)
    assert pending.overdue(10.9) == []
    assert pending.overdue(11.1) == [b"a"]
    assert pending.overdue(11.6) == [b"b"]
    assert pending.overdue(13.0) == []
    assert pending.overdue(13.2) == [b"a"]
    pending.touch(20.0)
    assert pending.overdue(20.9) == []
    assert pending.overdue(21.1) == [b"a", b"b"]
