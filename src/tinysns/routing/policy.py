"""Which master a client should use: a primary, and backups in the order in which to try them."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tinysns.routing.table import Report

POLICIES = ("available", "balanced")


@dataclass(frozen=True, slots=True)
class Choice:
    """`primary` is "" if there is no master; `backups` never holds it."""

    primary: str = ""
    backups: tuple[str, ...] = ()


def choose(policy: str, live: Sequence[Report], leader: str, random: Random) -> Choice:
    """`available`: the leader first, then the others in the list's order behind it, the order in which they are in line.

    `balanced`: the least loaded by open streams first; `random` decides ties.
    """
    if policy == "balanced":
        order = sorted(live, key=lambda r: (r.open_streams, random.random()))
    else:
        at = next((i for i, r in enumerate(live) if r.address == leader), 0)
        order = [*live[at:], *live[:at]]
    addresses = [r.address for r in order]
    return Choice(addresses[0], tuple(addresses[1:])) if addresses else Choice()
