"""What the consensus member offers to the service above it, and what it says of itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import raftnode

from tinysns.domain.writes import Answer, Command, Effect


@dataclass(frozen=True, slots=True)
class View:
    """What this member knows of the group's leadership; `leader` is 0 while it knows none."""

    role: int = raftnode.FOLLOWER
    leader: int = 0
    term: int = 0

    @property
    def leads(self) -> bool:
        return self.role == raftnode.LEADER


class NotServing(Exception):
    """This master cannot serve now (no contact with a leader, a stalled or full disk, stopping).

    str() is one sentence for people. Raised by reads it is definite. Of a write it is indefinite once it was submitted.
    """


class Overloaded(Exception):
    """So much waits here already that this write was refused: it certainly has no effect. str() is one sentence."""


class Listener(Protocol):
    """Hears, on the event loop and in log order, what happens to the state of this master."""

    def applied(self, effects: Sequence[Effect], applied_index: int) -> None:
        """These effects are committed in SQLite; readers opened from now on see all of them."""

    def installed(self, applied_index: int) -> None:
        """The whole state was replaced by another member's copy at this index: read everything again from cursors."""

    def refusing(self, sentence: str) -> None:
        """This master stops serving: end all client streams at once with UNAVAILABLE and this sentence."""


class Submitter(Protocol):
    """The part of the consensus member that services use."""

    def submit(self, command: Command) -> "asyncio.Future[Answer]":
        """Done once the command was applied *here*, through any change of leader. Cancel it to give up waiting.

        It fails with NotServing or Overloaded; the call itself raises NotServing. Commands go into the log in the order
        of the calls. A second submit of the same (session, number) waits for the same answer.
        """

    async def read_barrier(self) -> None:
        """Returns once this master has applied everything that was answered anywhere before the call. Raises
        NotServing."""

    def add_listener(self, listener: Listener) -> None: ...

    @property
    def applied_index(self) -> int:
        """The log index up to which listeners have heard of all effects."""
