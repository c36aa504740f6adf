"""Which master comes first."""

from collections import Counter
from random import Random

from tinysns.routing.policy import Candidate, available, balanced


def masters(*streams: int, unwell: tuple[int, ...] = ()) -> list[Candidate]:
    return [Candidate(f"h{i}", i, i not in unwell, n) for i, n in enumerate(streams, start=1)]


def test_available_puts_the_leader_first_and_behind_it_the_list_which_is_the_line_of_its_successors() -> None:
    assert available(masters(0, 0, 0, 0), "h3") == ("h3", "h1", "h2", "h4")


def test_available_without_a_leader_begins_with_the_first_of_the_list() -> None:
    assert available(list(reversed(masters(0, 0, 0))), "") == ("h1", "h2", "h3")
    assert available(masters(0, 0, 0)[1:], "h1") == ("h2", "h3"), "a leader that is not connected does not count"


def test_masters_that_are_not_in_the_list_come_last() -> None:
    assert available([Candidate("stranger", 0, True, 0), *masters(0, 0)], "") == ("h1", "h2", "stranger")


def test_who_does_not_serve_comes_behind_all_who_do() -> None:
    assert available(masters(0, 0, 0, unwell=(2,)), "h2") == ("h1", "h3", "h2")
    assert balanced(masters(5, 0, 4, unwell=(2,)), Random(1)) == ("h3", "h1", "h2")


def test_balanced_takes_the_least_loaded_and_ties_at_random() -> None:
    assert balanced(masters(3, 1, 2), Random(1)) == ("h2", "h3", "h1")
    chance = Random(7)
    firsts = Counter(balanced(masters(1, 0, 0, 0), chance)[0] for _ in range(300))
    assert set(firsts) == {"h2", "h3", "h4"}
    assert min(firsts.values()) > 60


def test_balanced_is_the_same_for_the_same_seed_whatever_the_order_of_input() -> None:
    forth, back = masters(0, 0, 0, 0), list(reversed(masters(0, 0, 0, 0)))
    assert [balanced(forth, Random(s)) for s in range(20)] == [balanced(back, Random(s)) for s in range(20)]


def test_balanced_does_not_send_a_client_away_from_where_it_is() -> None:
    assert balanced(masters(9, 1, 2), Random(1), stay="h1") == ("h1", "h2", "h3")
    assert balanced(masters(9, 1, 2, unwell=(1,)), Random(1), stay="h1") == ("h2", "h3", "h1")
