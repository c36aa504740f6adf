"""What a client waits behind a kill is counted from the kill, over what was in flight then, and in one way for all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.bench.loopback.gaps import FAULT_NS, wait_ms
from tests.chaos.making import MS

KILL = 1000 * MS


def at(*times_ms: float) -> list[int]:
    """Times of successes, in ms from the kill on."""
    return [KILL + int(t * MS) for t in times_ms]


def every_5_ms(begin: int, end: int) -> list[float]:
    return [float(t) for t in range(begin, end, 5)]


def test_it_is_counted_from_the_kill() -> None:
    assert wait_ms(at(-8, -3, 20, *every_5_ms(25, 400)), KILL) == 20


def test_an_answer_that_was_in_flight_does_not_end_the_wait() -> None:
    assert wait_ms(at(-3, 0.5, 30, *every_5_ms(35, 400)), KILL) == 29.5


def test_a_second_stumble_counts_if_it_is_the_longer_one() -> None:
    assert wait_ms(at(10, 15, 95, *every_5_ms(100, 400)), KILL) == 80


def test_a_wait_that_begins_later_is_not_the_kills_own() -> None:
    late = at(*every_5_ms(10, 300), 600, *every_5_ms(605, 900))
    assert wait_ms(late, KILL) == 10
    assert wait_ms(late, KILL, until_ns=KILL + 700 * MS) == 305


def test_a_wait_that_begins_in_time_counts_in_full() -> None:
    assert wait_ms(at(10, 240, 900), KILL) == 660


def test_who_never_hears_again_waits_until_the_end() -> None:
    assert wait_ms(at(-5), KILL) == FAULT_NS / MS


def test_a_follower_waits_only_while_something_is_acknowledged() -> None:
    assert wait_ms(at(1, 60, *every_5_ms(65, 400)), KILL, within=at(2, 58)) == 59
    assert wait_ms(at(1, 60, *every_5_ms(65, 400)), KILL, within=at(-4, 62)) == 5


@given(st.lists(st.integers(-50, 600), max_size=60))
def test_nothing_before_the_kill_changes_it(times_ms: list[int]) -> None:
    times = at(*sorted(times_ms))
    assert wait_ms(times, KILL) == wait_ms([t for t in times if t >= KILL], KILL)
    assert 0 <= wait_ms(times, KILL) <= max(FAULT_NS / MS, 600)


def test_without_any_answer_the_until_counts() -> None:
    assert wait_ms([], KILL, until_ns=KILL + 5 * MS) == pytest.approx(5)
