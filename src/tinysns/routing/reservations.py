"""Clients that were sent to a master and are not in its reports yet.

Masters report how many streams they have, some 50 ms behind the truth. A herd of clients that asks meanwhile would all
be sent to the master that was the least loaded. So each answer reserves a place at its primary, and a place counts as
a stream until

- the master reports more streams than before: of so many, the oldest, the clients have arrived. If it has more new
  streams than places, they may have gone by another router's answer and left their places here, the oldest of all. Only
  places of some age count as left: other routers send clients, too, and those whose place is young are on their way;
- or it is LIFE_SECONDS old: that client only asked.

Neither is exact, and need not be: all routers hear the same reports, so a mistake does not last.
No clock: monotonic times come in.
"""

import math
from collections import defaultdict, deque

LEFT_SECONDS = 0.3
LIFE_SECONDS = 3.0  # connecting takes milliseconds, but a second where a herd shares few cores


class Reservations:
    """One router's own."""

    def __init__(self) -> None:
        self._given: defaultdict[str, deque[float]] = defaultdict(deque)

    def give(self, address: str, at: float) -> None:
        """A client was sent there."""
        self._given[address].append(at)

    def reported(self, address: str, before: int, now: int, at: float) -> None:
        """The master has `now` streams; its last report said `before`."""
        for _ in range(now - before):
            waiting = self._given[address] or min(self._given.values(), key=_oldest)
            if not waiting or (waiting is not self._given[address] and at - waiting[0] < LEFT_SECONDS):
                return
            waiting.popleft()

    def count(self, address: str, at: float) -> int:
        """How many clients are on their way to this master."""
        given = self._given[address]
        while given and at - given[0] >= LIFE_SECONDS:
            given.popleft()
        return len(given)


def _oldest(given: deque[float]) -> float:
    return given[0] if given else math.inf
