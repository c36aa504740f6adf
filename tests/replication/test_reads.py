"""Read barriers: one round serves many, none is answered too early, none is forgotten."""

from itertools import pairwise

import pytest

from tinysns.replication.interface import NotServing
from tinysns.replication.reads import RETRY_SECONDS, Reads


class Rounds:
    """Stands for raft: keeps the contexts that it was asked with."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.possible = True

    def ask(self, context: bytes) -> bool:
        if self.possible:
            self.asked.append(context)
        return self.possible


async def test_one_round_serves_all_readers_that_wait_for_it() -> None:
    rounds = Rounds()
    reads = Reads(1, 1, rounds.ask)
    readers = [reads.add() for _ in range(3)]
    reads.turn(0.0)
    assert len(rounds.asked) == 1
    reads.confirmed([(rounds.asked[0], 10)], applied=9)
    assert not any(r.done() for r in readers)
    reads.reached(10)
    assert all(r.done() for r in readers)


async def test_a_reader_that_comes_during_a_round_waits_for_the_next_one() -> None:
    rounds = Rounds()
    reads = Reads(1, 1, rounds.ask)
    reads.add()
    reads.turn(0.0)
    late = reads.add()
    reads.confirmed([(rounds.asked[0], 10)], applied=10)
    assert not late.done()
    reads.turn(0.001)
    reads.confirmed([(rounds.asked[1], 11)], applied=11)
    assert late.done()


async def test_a_round_that_is_not_answered_is_asked_again_and_its_late_answer_does_not_count() -> None:
    rounds = Rounds()
    reads = Reads(1, 1, rounds.ask)
    reader = reads.add()
    reads.turn(0.0)
    late = reads.add()
    reads.turn(RETRY_SECONDS / 2)
    assert len(rounds.asked) == 1
    reads.turn(RETRY_SECONDS)
    assert len(rounds.asked) == 2
    reads.confirmed([(rounds.asked[0], 3)], applied=5)  # began before `late` came
    assert not reader.done()
    reads.confirmed([(rounds.asked[1], 5)], applied=5)
    assert reader.done()
    assert late.done()


async def test_rounds_of_other_members_are_not_ours() -> None:
    ours, theirs = Rounds(), Rounds()
    reads, other = Reads(1, 1, ours.ask), Reads(2, 1, theirs.ask)
    reader = reads.add()
    reads.turn(0.0)
    other.add()
    other.turn(0.0)
    reads.confirmed([(theirs.asked[0], 1)], applied=1)
    assert not reader.done()


async def test_rounds_of_an_earlier_life_are_not_ours() -> None:
    before, now = Rounds(), Rounds()
    dead, reads = Reads(1, 1, before.ask), Reads(1, 2, now.ask)
    dead.add()
    dead.turn(0.0)
    reader = reads.add()
    reads.turn(0.0)
    assert before.asked != now.asked
    reads.confirmed([(before.asked[0], 1)], applied=1)
    assert not reader.done()


async def test_while_there_is_no_leader_readers_wait_and_a_change_asks_at_once() -> None:
    rounds = Rounds()
    reads = Reads(1, 1, rounds.ask)
    reader = reads.add()
    rounds.possible = False
    reads.turn(0.0)
    assert not reader.done()
    rounds.possible = True
    reads.turn(0.001)
    reads.again()
    reads.turn(0.002)
    assert len(rounds.asked) == 2


async def test_a_new_leader_is_asked_again_soon_and_then_ever_more_slowly() -> None:
    rounds = Rounds()
    reads = Reads(1, 1, rounds.ask)
    reads.again()
    reads.add()
    asked_at = []
    for ms in range(1000):
        before = len(rounds.asked)
        reads.turn(ms / 1000)
        if len(rounds.asked) > before:
            asked_at.append(ms)
    pauses = [b - a for a, b in pairwise(asked_at)]
    assert pauses == pytest.approx([5, 10, 20, 40, 80, *(100 for _ in pauses[5:])], abs=1)
    assert len(pauses) > 8


async def test_failed_readers_hear_why() -> None:
    rounds = Rounds()
    reads = Reads(1, 1, rounds.ask)
    first = reads.add()
    reads.turn(0.0)
    reads.confirmed([(rounds.asked[0], 99)], applied=1)
    second = reads.add()
    reads.fail(NotServing("the disk of h1 is stalled"))
    for reader in (first, second):
        with pytest.raises(NotServing, match="stalled"):
            await reader
