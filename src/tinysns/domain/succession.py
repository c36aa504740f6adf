"""Who campaigns when a leader is lost, so that votes do not split and no vote is asked for in vain.

Safety is Raft's alone: whoever campaigns, at most one leader comes out of a term, and only one whose log is complete.
What is decided here is how quickly. Two facts make it quick:

- A survivor whose log lacks the last entry cannot win, and of four members all three survivors must vote. So the
  survivors tell each other where their logs end, and only the one with the best log campaigns, at once.
- Ties go to the first live one in the list of members; all know the same list, and routers name that one meanwhile.

A survivor that did not speak (its link is down, it is slow) must not hold the others up: each campaigns anyway after a
delay that grows with its rank. A wrong guess costs milliseconds, never data.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class LogEnd:
    """Where a member's log ends. Of two members, the one with the greater end can win an election against the other."""

    term: int
    index: int


def rank(order: Sequence[int], lost: int, member: int) -> int:
    """Place in the line of survivors: 0 is first. `order`: all members, as configured."""
    return [m for m in order if m != lost].index(member)


def quorum(order: Sequence[int]) -> int:
    """How many members must agree."""
    return len(order) // 2 + 1


class Succession:
    """What one survivor knows after the loss of one leader of one term."""

    def __init__(self, order: Sequence[int], me: int, lost: int) -> None:
        self._order, self._me, self._lost = tuple(order), me, lost
        self._ends: dict[int, LogEnd] = {}

    def heard(self, member: int, end: LogEnd) -> None:
        """`member` (perhaps oneself) has lost the leader too, and this is where its log ends."""
        if member in self._order and member != self._lost:
            self._ends[member] = end

    def is_mine(self, connected: Collection[int]) -> bool:
        """Whether this member should campaign now: all it is connected to have spoken, they are a quorum with it, and
        its log is the best of them."""
        expected = (set(connected) | {self._me}) - {self._lost}
        if not expected <= self._ends.keys() or len(expected) < quorum(self._order):
            return False
        return max(self._ends, key=self._preference) == self._me

    def _preference(self, member: int) -> tuple[LogEnd, int]:
        return self._ends[member], -rank(self._order, self._lost, member)
