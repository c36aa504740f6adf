"""Clients that were sent to a master and are not in its reports yet.

Masters report how many streams they have, some 50 ms behind the truth. A herd of clients that asks meanwhile would all
be sent to the master that was the least loaded. So each answer reserves a place at its primary, and a place counts as
a stream until

- the master reports more streams than before: of so many, the oldest, the clients have arrived. If it has more new
  streams than places, they may have gone by another router's answer and left their places here, the oldest of all. Only
  places of some age count as left: other routers send clients, too, and those whose place is young are on their way;
- or it is LIFE_SECONDS old: that client only asked.

Of the clients that other routers send, this one hears when they have arrived, which is too late for a herd that asks
all of them. So it takes the others to do as it does: if the masters report k times as many new streams as it gave
places, then one in k of them frees a place here, and each place here stands for k clients.

None of this is exact, and need not be: all routers hear the same reports, so a mistake does not last.
No clock: monotonic times come in.
"""

import math
from collections import defaultdict, deque

LEFT_SECONDS = 0.15
RECENT_SECONDS = 1.0  # what k is reckoned from
_ALONE = 1.2  # up to this k it is this router's own clients: a report is behind the places by a moment
LIFE_SECONDS = 3.0  # connecting takes milliseconds, but a second where a herd shares few cores


class Reservations:
    """One router's own. `routers`: how many there are, this one included."""

    def __init__(self, routers: int) -> None:
        self._given: defaultdict[str, deque[float]] = defaultdict(deque)
        self._routers = max(1, routers)
        self._recently_given, self._recently_arrived = deque[float](), deque[float]()
        self._freed: defaultdict[str, float] = defaultdict(float)  # less than 1: parts of a place

    def give(self, address: str, at: float) -> None:
        """A client was sent there."""
        self._given[address].append(at)
        self._recently_given.append(at)

    def reported(self, address: str, before: int, now: int, at: float) -> None:
        """The master has `now` streams; its last report said `before`."""
        self._recently_arrived.extend([at] * (now - before))
        freed = self._freed[address] + max(0, now - before) / self._sharing(at)
        self._freed[address] = freed % 1.0
        for _ in range(int(freed)):
            waiting = self._given[address] or min(self._given.values(), key=_oldest)
            if not waiting or (waiting is not self._given[address] and at - waiting[0] < LEFT_SECONDS):
                return
            waiting.popleft()

    def count(self, address: str, at: float) -> float:
        """How many clients are on their way to this master, by the word of all routers."""
        given = self._given[address]
        _forget(given, at - LIFE_SECONDS)
        return len(given) * self._sharing(at)

    def _sharing(self, at: float) -> float:
        """k: how many routers like this one the clients come from."""
        _forget(self._recently_given, at - RECENT_SECONDS)
        _forget(self._recently_arrived, at - RECENT_SECONDS)
        k = len(self._recently_arrived) / max(1, len(self._recently_given))
        return min(k, self._routers) if k > _ALONE else 1.0


def _forget(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()


def _oldest(given: deque[float]) -> float:
    return given[0] if given else math.inf
