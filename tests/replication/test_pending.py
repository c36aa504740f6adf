"""Commands that wait to be seen applied."""

import pytest

from tinysns.domain.writes import Answer, Command, Effect, Login, Outcome
from tinysns.replication.interface import NotServing, Overloaded
from tinysns.replication.pending import Pending


def effect(session: int, number: int, answer: Answer) -> Effect:
    return Effect(1, Command(session, number, Login("ann")), answer, fresh=True, time_unix_ns=0)


async def test_the_answer_reaches_everybody_who_waits_for_the_same_command() -> None:
    pending = Pending()
    pending.add((7, 1), b"a")
    first, second = pending.wait((7, 1)), pending.wait((7, 1))
    assert pending.settle(effect(7, 1, Answer(Outcome.DONE, position=5)))
    assert (await first).position == (await second).position == 5
    assert (7, 1) not in pending


async def test_a_gap_whose_predecessor_is_pending_here_is_not_told_to_the_client() -> None:
    pending = Pending()
    pending.add((7, 1), b"a")
    pending.add((7, 2), b"b")
    second = pending.wait((7, 2))
    assert not pending.settle(effect(7, 2, Answer(Outcome.GAP, expected=1)))
    assert not second.done()
    assert pending.encoded(pending.names()) == [b"a", b"b"]


async def test_a_gap_that_only_the_client_can_close_is_told() -> None:
    pending = Pending()
    pending.add((7, 3), b"c")
    third = pending.wait((7, 3))
    assert pending.settle(effect(7, 3, Answer(Outcome.GAP, expected=2)))
    assert (await third).expected == 2


async def test_failed_waiters_leave_their_commands_so_that_a_session_gets_no_hole() -> None:
    pending = Pending()
    pending.add((7, 1), b"a")
    waiter = pending.wait((7, 1))
    pending.fail_waiters(NotServing("no leader"))
    with pytest.raises(NotServing):
        await waiter
    assert (7, 1) in pending
    again = pending.wait((7, 1))
    assert pending.settle(effect(7, 1, Answer(Outcome.DONE)))
    assert (await again).outcome is Outcome.DONE


async def test_refused_commands_are_forgotten() -> None:
    pending = Pending()
    pending.add((7, 1), b"a")
    pending.add((7, 2), b"b")
    first, second = pending.wait((7, 1)), pending.wait((7, 2))
    pending.refuse([(7, 2)], Overloaded("too much waits"))
    with pytest.raises(Overloaded):
        await second
    assert not first.done()
    assert pending.names() == [(7, 1)]
