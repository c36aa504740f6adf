"""Commands that were submitted here and not yet seen applied here.

Every master answers its clients from its *own* applied log, whoever proposed the entry. So there is no way back from
the leader that could get lost, and no outcome that is unknown inside the cluster. The native member sees to it that
each command gets into the log, perhaps more than once; the session rule (domain/writes.py) makes that harmless.
"""

import asyncio
from collections.abc import Iterable

from tinysns.domain.writes import Answer, Effect, Outcome

Name = tuple[int, int]
"""(session, number)"""


class Pending:
    """Ordered by first submission, which for each session is the order of its numbers."""

    def __init__(self) -> None:
        self._encoded: dict[Name, bytes] = {}
        self._waiters: dict[Name, list[asyncio.Future[Answer]]] = {}

    def __contains__(self, name: Name) -> bool:
        return name in self._encoded

    def add(self, name: Name, encoded: bytes) -> None:
        """A command that nobody waits for yet."""
        self._encoded[name] = encoded

    def wait(self, name: Name) -> "asyncio.Future[Answer]":
        """The answer to a command that is pending."""
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(name, []).append(waiter)
        return waiter

    def names(self) -> list[Name]:
        """All of them, in order."""
        return list(self._encoded)

    def encoded(self, names: Iterable[Name]) -> list[bytes]:
        """Those of these that are still pending, as they are proposed."""
        return [self._encoded[name] for name in names if name in self._encoded]

    def settle(self, effect: Effect) -> bool:
        """Answers whoever waits for this command. False: a predecessor that is pending here was lost on the way, and
        must go first; then this command has to be proposed again."""
        name = session, number = effect.command.session, effect.command.number
        answer = effect.answer
        if answer.outcome is Outcome.GAP and name in self._encoded:
            lost = range(answer.expected, number)
            if lost and all((session, n) in self._encoded for n in lost):
                return False
        self._encoded.pop(name, None)
        for waiter in self._waiters.pop(name, ()):
            if not waiter.done():
                waiter.set_result(answer)
        return True

    def refuse(self, names: Iterable[Name], error: Exception) -> None:
        """These were not proposed, and are forgotten."""
        for name in names:
            del self._encoded[name]
            self._fail(name, error)

    def fail_waiters(self, error: Exception) -> None:
        """Whoever waits gets `error`, which is indefinite. The commands stay: a session must not get a hole."""
        for name in list(self._waiters):
            self._fail(name, error)

    def _fail(self, name: Name, error: Exception) -> None:
        for waiter in self._waiters.pop(name, ()):
            if not waiter.done():
                waiter.set_exception(error)
