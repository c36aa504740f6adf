"""Which masters a client should try, in which order. Pure: what is known and the randomness come in.

A master that says that it does not serve comes behind all that do: it may be the only one left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

AVAILABLE, BALANCED = "available", "balanced"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A master that is connected to the router."""

    address: str
    rank: int  # its place in the configured list; 0: it is not in it
    serving: bool
    load: float  # streams that it has, and clients that are on their way to it


def available(candidates: Sequence[Candidate], leader: str) -> tuple[str, ...]:
    """The leader first, then the others in list order: the first of them is the next in line (the native member's
    succession.rs).

    Without a leader: list order, so the one that will be elected if its log is as good as the others'. Masters that are
    not in the configured list stand behind it as they registered, which is the order of `candidates`.
    """
    return _serving_first(sorted(candidates, key=lambda c: (c.address != leader, c.rank == 0, c.rank)))


def balanced(candidates: Sequence[Candidate], chance: Random, stay: str = "") -> tuple[str, ...]:
    """The least loaded first, ties at random. `stay`: where this client is already; it is not sent away from there."""
    shuffled = sorted(candidates, key=lambda c: c.address)
    chance.shuffle(shuffled)
    return _serving_first(sorted(shuffled, key=lambda c: (c.address != stay, c.load)))


def _serving_first(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    return tuple(c.address for c in sorted(candidates, key=lambda c: not c.serving))
