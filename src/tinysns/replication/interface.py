"""What the consensus member offers to the service above it."""

from collections.abc import Sequence
from typing import Protocol

from tinysns.domain.writes import Answer, Command, Effect


class NotServing(Exception):
    """This master cannot serve now (no contact with a leader, a stalled or full disk, stopping).

    str() is one sentence for people. Raised by reads it is definite. Of a write it is indefinite once it was submitted.
    """


class Listener(Protocol):
    """Hears, on the event loop and in log order, what happens to the state of this master."""

    def applied(self, effects: Sequence[Effect], applied_index: int) -> None:
        """These effects are committed in SQLite; readers opened from now on see all of them."""

    def installed(self, applied_index: int) -> None:
        """The whole state was replaced by another member's copy at this index: read everything again from cursors."""

    def refusing(self, sentence: str) -> None:
        """This master stops serving: who can go elsewhere must hear of it at once."""


class Submitter(Protocol):
    """The part of the consensus member that services use."""

    async def submit(self, command: Command) -> Answer:
        """Returns once the command was applied *here*; waits through a change of leader. Cancel it to give up waiting.

        Raises NotServing. A second submit of the same (session, number) waits for the same answer.
        """

    async def read_barrier(self) -> None:
        """Returns once this master has applied everything that was answered anywhere before the call. Raises
        NotServing."""

    async def serving(self, *, writes: bool = False) -> None:
        """Returns once reads, or `writes`, are not refused any more. Raises NotServing if this master is stopping."""

    def add_listener(self, listener: Listener) -> None: ...

    @property
    def applied_index(self) -> int:
        """The log index up to which listeners have heard of all effects."""
