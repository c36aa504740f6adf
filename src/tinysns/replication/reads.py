"""Linearizable reads (Raft thesis, 6.4, read index): one ticket of the native member serves all reads of one turn.

A read is answered from this master's own state once that has reached the log position which the leader, confirmed by a
quorum *after* the read arrived, had committed. No clock and no lease is involved. The native member asks again when an
answer may have got lost, so a ticket comes back as soon as there is a leader.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence


class Reads:
    """The read barriers of one member. `ask()` gives a new ticket."""

    def __init__(self, ask: Callable[[], int]) -> None:
        self._ask = ask
        self._turn: asyncio.Future[None] | None = None  # of those who came in this turn of the loop
        self._asked: dict[int, asyncio.Future[None]] = {}  # by ticket
        self._ripening: deque[tuple[int, asyncio.Future[None]]] = deque()  # with the index that the state must reach

    async def wait(self) -> None:
        """Returns once the state has reached a position that is new enough for a read that begins now."""
        if self._turn is None:
            loop = asyncio.get_running_loop()
            self._turn = loop.create_future()
            loop.call_soon(self._ask_for_all)
        await asyncio.shield(self._turn)

    def confirmed(self, tickets: Sequence[int], index: int) -> None:
        """These may be answered once the state has reached `index`."""
        self._ripening += [(index, self._asked.pop(ticket)) for ticket in tickets if ticket in self._asked]

    def reached(self, applied: int) -> None:
        """The state has reached `applied`."""
        while self._ripening and self._ripening[0][0] <= applied:
            self._ripening.popleft()[1].set_result(None)

    def fail(self, error: Exception) -> None:
        """Ends all waiting reads; they had no effect."""
        self._ask_for_all()  # also for those of this turn: whoever comes next has a turn of its own
        for turn in (*self._asked.values(), *(turn for _, turn in self._ripening)):
            turn.set_exception(error)
            turn.exception()  # its readers may all have gone
        self._asked.clear()
        self._ripening.clear()

    def _ask_for_all(self) -> None:
        if self._turn is not None:
            self._asked[self._ask()], self._turn = self._turn, None
