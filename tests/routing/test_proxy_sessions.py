"""Which ids the proxy gives to writes."""

import itertools

from tinysns.routing.proxy_sessions import CallIds
from tinysns.rpc.call_id import CallId


def ids() -> CallIds:
    sessions = itertools.count(7)
    return CallIds(lambda: next(sessions))


def test_a_session_gives_its_next_number_only_behind_an_answer() -> None:
    pool = ids()
    first, second = pool.take(), pool.take()
    assert (first, second) == (CallId(7, 1), CallId(8, 1))
    pool.answered(second)
    assert pool.take() == CallId(8, 2)
    assert pool.take() == CallId(9, 1)


def test_a_session_that_is_not_heard_of_again_is_not_used_again() -> None:
    pool = ids()
    pool.take()
    assert [pool.take().session for _ in range(3)] == [8, 9, 10]


def test_few_sessions_do_when_few_calls_are_made_at_once() -> None:
    pool = ids()
    for number in range(1, 100):
        call_id = pool.take()
        assert call_id == CallId(7, number)
        pool.answered(call_id)
