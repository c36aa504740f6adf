"""Commands that were submitted here and not yet seen applied here.

Every master answers its clients from its *own* applied log, whoever proposed the entry. So there is no way back from
the leader that could get lost, and no outcome that is unknown inside the cluster: what a change of leader may have
swallowed is simply submitted again, and the session rule (domain/writes.py) makes that harmless.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from tinysns.domain.writes import Answer, Effect, Outcome

# Then a command is submitted again, whatever was heard of the leader; the next time twice as late.
PATIENCE_SECONDS = 1.0


@dataclass(slots=True)
class _Entry:
    encoded: bytes
    submitted_at: float
    patience_seconds: float = PATIENCE_SECONDS
    waiters: list[asyncio.Future[Answer]] = field(default_factory=list)


class Pending:
    """Ordered by first submission, which for each session is the order of its numbers."""

    def __init__(self) -> None:
        self._entries: dict[tuple[int, int], _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, session: int, number: int, encoded: bytes, now: float) -> tuple[asyncio.Future[Answer], bool]:
        """(future of the answer, whether the command is new here and so must be sent)."""
        entry = self._entries.get((session, number))
        is_new = entry is None
        if entry is None:
            entry = self._entries[session, number] = _Entry(encoded, now)
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        entry.waiters.append(waiter)
        return waiter, is_new

    def encoded(self) -> Iterator[bytes]:
        """All of them, in order, to be submitted again."""
        return (entry.encoded for entry in self._entries.values())

    def overdue(self, now: float) -> list[bytes]:
        """Those that were submitted too long ago, in order, to be submitted again.

        Perhaps they only wait in a long queue, which grows with each one that is put into it twice: so patience does.
        """
        late = [entry for entry in self._entries.values() if now - entry.submitted_at > entry.patience_seconds]
        for entry in late:
            entry.submitted_at = now
            entry.patience_seconds *= 2
        return [entry.encoded for entry in late]

    def touch(self, now: float) -> None:
        """Everything was submitted again now, to a leader or over a link that is new."""
        for entry in self._entries.values():
            entry.submitted_at, entry.patience_seconds = now, PATIENCE_SECONDS

    def settle(self, effect: Effect) -> bool:
        """Answers whoever waits for this command. False: not settled, a predecessor that is pending here must go
        first."""
        session, number = effect.command.session, effect.command.number
        if (session, number) not in self._entries:
            return True
        answer = effect.answer
        if answer.outcome is Outcome.GAP and self._holds_from(session, answer.expected, number):
            return False
        for waiter in self._entries.pop((session, number)).waiters:
            if not waiter.done():
                waiter.set_result(answer)
        return True

    def _holds_from(self, session: int, first: int, end: int) -> bool:
        return first < end and all((session, n) in self._entries for n in range(first, end))

    def fail_waiters(self, error: Exception) -> None:
        """Whoever waits gets `error`, which is indefinite. The commands stay: a session must not get a hole."""
        for entry in self._entries.values():
            waiters, entry.waiters = entry.waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(error)
