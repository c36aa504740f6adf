"""The applier: takes committed entries to the state, in log order, in as few transactions as they come.

Small batches are applied on the event loop itself, without a hand-over between threads (measured: a quarter more posts
per second); larger ones in a thread, so that the loop goes on. A disk that makes SQLite wait may thereby stop the loop.
That harms this master's own clients only: consensus, the heartbeats to other members and the watch over the disk are
threads of the native node, which neither wait for Python nor ask it. And while the disk stalls there is little to
apply: raft hands out only what this member's own log has on disk.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tinysns.domain.writes import Effect
from tinysns.storage.state import StateMachine

ON_LOOP_BYTES = 16 * 1024
# Of one transaction: those who wait for its first entry wait for its last one, too.
TRANSACTION_BYTES = 1024 * 1024
# What may wait here. Beyond it entries are left to the native node, which keeps no more of them than their indexes.
BACKLOG_BYTES = 4 * 1024 * 1024

_Batch = tuple[Sequence[tuple[int, bytes]], int, int]
"""entries with their indexes; where the log stands behind them, which is further if raft's own were left out; bytes"""


class Applier:
    """Calls `applied(effects, index)` on the event loop for what is in the state; `crash` gets what must not happen."""

    def __init__(
        self,
        state: StateMachine,
        applied: Callable[[Sequence[Effect], int], None],
        crash: Callable[[BaseException], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="apply")
        self._state, self._applied, self._crash = state, applied, crash
        self._queue: deque[_Batch] = deque()
        self._closed = False
        self._idle = asyncio.Event()  # the thread is
        self._idle.set()
        self.disk_is_good = True
        self.checkpointing = False
        """In this case, or on a bad disk, SQLite may have to wait: then everything goes to the thread."""
        self.backlog_bytes = 0
        """Of entries that wait or are being applied."""

    def put(self, entries: Sequence[tuple[int, bytes]], index: int) -> None:
        """Queues entries; `flush` begins with them."""
        size = sum(len(data) for _, data in entries)
        self.backlog_bytes += size
        self._queue.append((entries, index, size))

    def flush(self) -> None:
        """Applies what is queued, or begins to."""
        while self._queue and self._idle.is_set() and not self._closed:
            entries, index, size = self._take()
            if size <= ON_LOOP_BYTES and self.disk_is_good and not self.checkpointing:
                self._done(self._state.apply(entries, index), index, size)
            else:
                self._idle.clear()
                applying = self._loop.run_in_executor(self._thread, self._state.apply, entries, index)
                applying.add_done_callback(functools.partial(self._finished, index, size))

    async def run(self, function: Callable[[], None]) -> None:
        """Runs something else in the applier's thread, behind all that is queued."""
        while self._queue or not self._idle.is_set():
            await self._idle.wait()
            self.flush()
        self._idle.clear()
        try:
            await self._loop.run_in_executor(self._thread, function)
        finally:
            self._idle.set()
            self.flush()

    async def close(self) -> None:
        """Returns once what was under way has ended; nobody hears of it any more."""
        self._closed = True
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    def _take(self) -> _Batch:
        entries: list[tuple[int, bytes]] = []
        size = index = 0
        while self._queue and (not entries or size + self._queue[0][2] <= TRANSACTION_BYTES):
            more, index, more_bytes = self._queue.popleft()
            entries += more
            size += more_bytes
        return entries, index, size

    def _finished(self, index: int, size: int, applying: "asyncio.Future[list[Effect]]") -> None:
        self._idle.set()
        if not self._closed:
            try:
                self._done(applying.result(), index, size)
                self.flush()
            except Exception as e:  # of the work or of what follows it: neither may be missed (ARCHITECTURE.md, G7)
                self._crash(e)

    def _done(self, effects: Sequence[Effect], index: int, size: int) -> None:
        self.backlog_bytes -= size
        self._applied(effects, index)
