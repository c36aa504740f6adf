"""Waits: tells whoever shows something to people that the service has kept them waiting, once, and when it goes on.

A failover takes milliseconds and is nobody's business. Only what has waited for longer than a moment is told, and an
outage is told once, however many calls and timelines wait for its end.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Wait:
    """Something waits for the service (`over` is false), or nothing does any more (`over` is true)."""

    what: str  # for people, and behind "waits:" or so: "a write", "the timeline of 'bob'"
    seconds: float  # for how long so far
    reason: str  # what the last try on a master came to; empty if there was none
    over: bool


class Waits:
    """All that waits in one client. `tell` is called on the event loop, must not block and must not raise."""

    def __init__(self, tell: Callable[[Wait], None] | None, after_seconds: float) -> None:
        self._tell = tell
        self._after_seconds = after_seconds
        self._long: dict[Waiting, float] = {}  # since when each waits that does so for long
        self._told: Wait | None = None
        self._began = 0.0

    def waiting(self, what: str) -> "Waiting":
        """For something that may have to wait; it does not do so yet."""
        return Waiting(self, what, self._after_seconds)

    def add(self, waiting: "Waiting", since: float, now: float) -> None:
        """It has waited for long."""
        self._long[waiting] = since
        if self._told is None:
            self._began = since
            self._told = Wait(waiting.what, now - since, waiting.reason, over=False)
            self._say(self._told)

    def remove(self, waiting: "Waiting", now: float) -> None:
        """It got what it waited for, or gave up."""
        if self._long.pop(waiting, None) is not None and not self._long and self._told is not None:
            told, self._told = self._told, None
            self._say(Wait(told.what, now - self._began, told.reason, over=True))

    def _say(self, wait: Wait) -> None:
        if self._tell:
            self._tell(wait)


class Waiting:
    """One call or timeline. As a context it waits from the beginning to the end of the block."""

    def __init__(self, waits: Waits, what: str, after_seconds: float) -> None:
        self.what = what
        self.reason = ""
        self._waits = waits
        self._after_seconds = after_seconds
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None  # None: it does not wait
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """It waits from now on. Also to be called when something came, and it waits for more."""
        self._since = self._loop.time()
        self._waits.remove(self, self._since)
        self.reason = ""
        # The timer looks at _since when it is due: messages come much faster than timers are worth being made.
        if self._timer is None:
            self._timer = self._loop.call_later(self._after_seconds, self._look)

    def end(self) -> None:
        """It does not wait any more."""
        self._since = None
        self._waits.remove(self, self._loop.time())

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._since is None:
            return
        now = self._loop.time()
        left_seconds = self._since + self._after_seconds - now
        if left_seconds <= 0:
            self._waits.add(self, self._since, now)
        else:
            self._timer = self._loop.call_later(left_seconds, self._look)
