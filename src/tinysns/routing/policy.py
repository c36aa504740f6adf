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
    open_streams: int


def available(candidates: Sequence[Candidate], leader: str) -> tuple[str, ...]:
    """The leader first, then the others in list order behind it, round the end: the first of them is the next in line.

    Without a leader: list order; the first one is the first in line to be elected.
    """
    listed = sorted(candidates, key=lambda c: (c.rank == 0, c.rank, c.address))
    at = next((i for i, c in enumerate(listed) if c.address == leader), 0)
    return _serving_first(listed[at:] + listed[:at])


def balanced(candidates: Sequence[Candidate], chance: Random, stay: str = "") -> tuple[str, ...]:
    """The least loaded first, ties at random. `stay`: where this client is already; it is not sent away from there."""
    shuffled = sorted(candidates, key=lambda c: c.address)
    chance.shuffle(shuffled)
    return _serving_first(sorted(shuffled, key=lambda c: (c.address != stay, c.open_streams)))


def _serving_first(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    return tuple(c.address for c in sorted(candidates, key=lambda c: not c.serving))
