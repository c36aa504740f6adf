"""Commands that were submitted here and not yet seen applied here.

Every master answers its clients from its *own* applied log, whoever proposed the entry. So there is no way back from
the leader that could get lost, and no outcome that is unknown inside the cluster. The native member sees to it that
each command gets into the log, perhaps more than once; the session rule (domain/writes.py) makes that harmless.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from tinysns.domain.writes import Answer, Effect, Outcome

Name = tuple[int, int]
"""(session, number)"""


@dataclass(slots=True)
class _Entry:
    encoded: bytes
    waiters: list["asyncio.Future[Answer]"] = field(default_factory=list)


class Pending:
    """Ordered by first submission, which for each session is the order of its numbers."""

    def __init__(self) -> None:
        self._entries: dict[Name, _Entry] = {}

    def __contains__(self, name: Name) -> bool:
        return name in self._entries

    def add(self, name: Name, encoded: bytes) -> None:
        """A command that nobody waits for yet."""
        self._entries[name] = _Entry(encoded)

    def wait(self, name: Name) -> "asyncio.Future[Answer]":
        """The answer to a command that is pending."""
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._entries[name].waiters.append(waiter)
        return waiter

    def names(self) -> list[Name]:
        """All of them, in order."""
        return list(self._entries)

    def encoded(self, names: Iterable[Name]) -> list[bytes]:
        """Those of these that are still pending, as they are proposed."""
        return [self._entries[name].encoded for name in names if name in self._entries]

    def settle(self, effect: Effect) -> bool:
        """Answers whoever waits for this command. False: a predecessor that is pending here was lost on the way, and
        must go first; then this command has to be proposed again."""
        name = session, number = effect.command.session, effect.command.number
        if name not in self._entries:
            return True
        answer = effect.answer
        if answer.outcome is Outcome.GAP and self._holds_from(session, answer.expected, number):
            return False
        for waiter in self._entries.pop(name).waiters:
            if not waiter.done():
                waiter.set_result(answer)
        return True

    def refuse(self, names: Iterable[Name], error: Exception) -> None:
        """These were not proposed, and are forgotten."""
        for name in names:
            _fail(self._entries.pop(name).waiters, error)

    def fail_waiters(self, error: Exception) -> None:
        """Whoever waits gets `error`, which is indefinite. The commands stay: a session must not get a hole."""
        for entry in self._entries.values():
            waiters, entry.waiters = entry.waiters, []
            _fail(waiters, error)

    def _holds_from(self, session: int, first: int, end: int) -> bool:
        return first < end and all((session, n) in self._entries for n in range(first, end))


def _fail(waiters: "Iterable[asyncio.Future[Answer]]", error: Exception) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(error)
