"""Who campaigns when a leader is lost."""

from itertools import permutations

import pytest

from tinysns.domain.succession import LogEnd, Succession, rank

FOUR = (1, 2, 3, 4)


def test_the_line_is_the_list_without_the_lost_leader() -> None:
    assert [rank(FOUR, 3, member) for member in (1, 2, 4)] == [0, 1, 2]


@pytest.mark.parametrize("lost", FOUR)
def test_exactly_one_survivor_campaigns_whatever_the_logs_and_whoever_speaks_first(lost: int) -> None:
    survivors = [m for m in FOUR if m != lost]
    for ends in permutations((LogEnd(2, 10), LogEnd(2, 11), LogEnd(3, 5)), 3):
        log_of = dict(zip(survivors, ends, strict=True))
        campaigns = []
        for me in survivors:
            succession = Succession(FOUR, me, lost)
            for member, end in log_of.items():
                succession.heard(member, end)
            if succession.is_mine([m for m in FOUR if m != me]):
                campaigns.append(me)
        assert campaigns == [max(survivors, key=lambda m: log_of[m])]


def test_equal_logs_are_decided_by_the_line() -> None:
    for me, mine in ((4, False), (3, False), (1, True)):
        succession = Succession(FOUR, me, lost=2)
        for member in (1, 3, 4):
            succession.heard(member, LogEnd(7, 7))
        assert succession.is_mine([1, 3, 4]) is mine


def test_nobody_campaigns_before_all_that_are_connected_have_spoken() -> None:
    succession = Succession(FOUR, 2, lost=1)
    succession.heard(2, LogEnd(9, 9))
    succession.heard(3, LogEnd(1, 1))
    assert not succession.is_mine([3, 4])
    succession.heard(4, LogEnd(1, 1))
    assert succession.is_mine([3, 4])


def test_without_a_quorum_of_survivors_nobody_campaigns() -> None:
    succession = Succession(FOUR, 2, lost=1)
    succession.heard(2, LogEnd(9, 9))
    succession.heard(3, LogEnd(1, 1))
    assert not succession.is_mine([3])


def test_the_lost_leader_itself_and_strangers_have_no_say() -> None:
    succession = Succession(FOUR, 2, lost=1)
    for member in (1, 99):
        succession.heard(member, LogEnd(100, 100))
    for member in (2, 3, 4):
        succession.heard(member, LogEnd(1, 1))
    assert succession.is_mine([1, 3, 4])
