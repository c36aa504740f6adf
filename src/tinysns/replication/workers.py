"""The two threads beside the event loop: one puts the log on disk, one applies it to the state.

Each takes all that queued while it was busy as one batch, so that fsyncs and transactions are shared. Each knows
since when its current piece of work has been in flight: that is how a stalled disk is noticed. A failed write is
final (ARCHITECTURE.md, rule 8): the page cache may have dropped what it could not write, so a second fsync that
succeeds proves nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from raftlog import Log, Write

from tinysns.domain.writes import Effect
from tinysns.storage.state import StateMachine

Job = TypeVar("Job")
Result = TypeVar("Result")


class Worker(Generic[Job, Result]):
    """Runs `work` on batches of jobs, in order, in one thread; `done(batch, result)` follows on the event loop."""

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Job]], Result],
        done: Callable[[Sequence[Job], Result], None],
        failed: Callable[[BaseException], None],
        max_batch: int = 1 << 30,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._work, self._done, self._failed, self._max_batch = work, done, failed, max_batch
        self._queue: list[Job] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self.busy_since: float | None = None  # loop time
        self.usual_seconds = 0.0  # what a batch took lately, of the slow ones

    def put(self, job: Job) -> None:
        """Queues a job; it starts with `flush`. Jobs put after `close` are dropped."""
        self._queue.append(job)

    def flush(self) -> None:
        """Starts on what is queued, unless a batch is under way: then that one's end does."""
        if self.busy_since is not None or not self._queue or self._closed:
            return
        batch, self._queue = self._queue[: self._max_batch], self._queue[self._max_batch :]
        self.busy_since = self._loop.time()
        self._idle.clear()
        future = self._thread.submit(self._work, batch)
        future.add_done_callback(lambda f: self._loop.call_soon_threadsafe(self._finished, batch, f))

    def _finished(self, batch: Sequence[Job], future: "Future[Result]") -> None:
        if self.busy_since is not None:
            self.usual_seconds = max(self._loop.time() - self.busy_since, 0.9 * self.usual_seconds)
        self.busy_since = None
        if self._closed:
            return
        try:
            self._done(batch, future.result())
        except Exception as e:  # of the work or of what follows it: neither may be missed (ARCHITECTURE.md, G7)
            self._failed(e)
            return
        self.flush()
        if self.busy_since is None:
            self._idle.set()

    async def idle(self) -> None:
        """Returns once nothing is queued or under way."""
        while self._queue or self.busy_since is not None:
            self._idle.clear()
            await self._idle.wait()

    async def run(self, function: Callable[[], None]) -> None:
        """Runs something else in this worker's thread, for which it must be idle."""
        await self.idle()
        await self._loop.run_in_executor(self._thread, function)

    def close(self) -> None:
        """What is under way ends by itself; nobody hears of it."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def ended(self) -> None:
        """Returns once what was under way at `close` has ended; on a stalled disk that takes as long as the disk."""
        await asyncio.to_thread(self._thread.shutdown)


# Entries with their indexes, and the applied index behind them: it is greater if the last entries were empty.
Committed = tuple[Sequence[tuple[int, bytes]], int]


def log_writer(
    log: Log, written: Callable[[Sequence[Write], None], None], failed: Callable[[BaseException], None]
) -> Worker[Write, None]:
    """The thread that fsyncs the log."""
    return Worker("log", lambda writes: log.write(list(writes)), written, failed)


def applier(
    state: StateMachine,
    applied: Callable[[Sequence[Committed], list[Effect]], None],
    failed: Callable[[BaseException], None],
) -> Worker[Committed, list[Effect]]:
    """The thread that applies committed entries, one transaction for all that wait."""

    def apply(batch: Sequence[Committed]) -> list[Effect]:
        entries = [entry for entries, _ in batch for entry in entries]
        return state.apply(entries, batch[-1][1])

    return Worker("apply", apply, applied, failed, max_batch=256)
