"""Linearizable reads (Raft thesis, 6.4, read index): one round to a quorum serves all reads that wait for it.

A read is answered from this master's own state once that has reached the log position which the leader, confirmed by a
quorum *after* the read arrived, had committed. No clock and no lease is involved.
"""

import asyncio
import heapq
import struct
from collections.abc import Callable, Sequence

_CONTEXT = struct.Struct("<QQQ")  # node, its incarnation, round
# raft drops a request silently until a new leader has committed in its own term, some ms after its election, and when a
# packet is lost. So it is asked again, soon after a change of leader, and then each time twice as long after the last.
RETRY_SECONDS = 0.1
FIRST_RETRY_SECONDS = 0.005


class Reads:
    """The read barriers of one member. `ask(context)` starts a round; False: not possible now, try again.

    A context is never used again, not by a later life of this member either: a leader may still hold the same one from
    the life before, with what was committed then, and would answer with that.
    """

    def __init__(self, node: int, incarnation: int, ask: Callable[[bytes], bool]) -> None:
        self._node, self._incarnation, self._ask = node, incarnation, ask
        self._round = 0
        self._asked_at = 0.0
        self._patience_seconds = RETRY_SECONDS
        self._waiting: list[asyncio.Future[None]] = []  # for the next round
        self._in_round: list[asyncio.Future[None]] = []  # for the round under way
        self._ripening: list[tuple[int, int, list[asyncio.Future[None]]]] = []  # (index, round, readers), a heap

    def add(self) -> asyncio.Future[None]:
        """Done once the state has reached a position that is new enough for a read that begins now."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return future

    def turn(self, now: float) -> None:
        """Starts a round if somebody waits for one, or starts the one under way again if no answer came."""
        if self._in_round:
            if now - self._asked_at < self._patience_seconds:
                return
            self._patience_seconds = min(2 * self._patience_seconds, RETRY_SECONDS)
        self._in_round += self._waiting
        self._waiting = []
        self._in_round = [f for f in self._in_round if not f.done()]
        if self._in_round:
            self._round += 1
            if self._ask(self._context()):
                self._asked_at = now
            else:
                self._waiting, self._in_round = self._in_round, []

    def again(self) -> None:
        """The leader changed: what was asked may never be answered."""
        self._asked_at, self._patience_seconds = float("-inf"), FIRST_RETRY_SECONDS

    def confirmed(self, reads: Sequence[tuple[bytes, int]], applied: int) -> None:
        """Rounds that came back: (context, log index that the state must reach)."""
        for context, index in reads:
            if context == self._context() and self._in_round:
                heapq.heappush(self._ripening, (index, self._round, self._in_round))
                self._in_round = []
        self.reached(applied)

    def reached(self, applied: int) -> None:
        """The state has reached `applied`."""
        while self._ripening and self._ripening[0][0] <= applied:
            for future in heapq.heappop(self._ripening)[2]:
                if not future.done():
                    future.set_result(None)

    def fail(self, error: Exception) -> None:
        """Ends all waiting reads; they had no effect."""
        ripening = [f for _, _, futures in self._ripening for f in futures]
        for future in (*self._waiting, *self._in_round, *ripening):
            if not future.done():
                future.set_exception(error)
        self._waiting, self._in_round, self._ripening = [], [], []

    def _context(self) -> bytes:
        return _CONTEXT.pack(self._node, self._incarnation, self._round)
