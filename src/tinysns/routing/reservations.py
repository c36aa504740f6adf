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
places, then one in k of them frees a place here, and each place here stands for k clients. Before there is anything to
reckon with, k is the number of routers: too many only makes this one's clients spread more evenly, too few of them
overshoot.

None of this is exact, and need not be: all routers hear the same reports, so a mistake does not last. The numbers below
did best in a model of herds by one router and by several, of clients that ask all of them, and of slow masters; a test
holds the worst of these.
No clock: monotonic times come in.
"""

import math
from bisect import bisect_right
from collections import defaultdict, deque

LEFT_SECONDS = 0.15
LIFE_SECONDS = 0.6  # connecting takes milliseconds, but half a second where a herd shares few cores
RECENT_SECONDS = 1.0  # k is reckoned from what arrived within that, and from the places that were given
ARRIVAL_SECONDS = 0.3  # within the same time, so much earlier
_DOUBT = 3  # places; so much weighs what is believed before there is anything to reckon with


class Reservations:
    """One router's own. `routers`: how many there are, this one included."""

    def __init__(self, routers: int) -> None:
        self._given: defaultdict[str, deque[float]] = defaultdict(deque)
        self._routers = max(1, routers)
        self._given_lately, self._arrived_lately = deque[float](), deque[float]()
        self._freed: defaultdict[str, float] = defaultdict(float)  # less than 1: parts of a place

    def give(self, address: str, at: float) -> None:
        """A client was sent there."""
        self._given[address].append(at)
        self._given_lately.append(at)

    def reported(self, address: str, before: int, now: int, at: float) -> None:
        """The master has `now` streams; its last report said `before`."""
        arrived = max(0, now - before)
        self._arrived_lately.extend([at] * arrived)
        freed = self._freed[address] + arrived / self._sharing(at)
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
        _forget(self._given_lately, at - RECENT_SECONDS - ARRIVAL_SECONDS)
        _forget(self._arrived_lately, at - RECENT_SECONDS)
        given = bisect_right(self._given_lately, at - ARRIVAL_SECONDS)
        k = (len(self._arrived_lately) + _DOUBT * self._routers) / (given + _DOUBT)
        return min(max(1.0, k), self._routers)


def _forget(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()


def _oldest(given: deque[float]) -> float:
    return given[0] if given else math.inf
