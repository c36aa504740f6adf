"""Compaction: the log is kept only as far back as the state on disk does not replace it.

The position up to which it may go is that of the last checkpoint that reached the disk, never that of what was
applied: a power cut takes the state back to its last fsync, and from there the log must go on.
"""

import asyncio
import logging

from raftlog import Log

from tinysns.replication.driver import Driver
from tinysns.runtime.settings import Consensus
from tinysns.storage.state import StateMachine

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 1.0
MAX_LOG_BYTES = 96 * 1024 * 1024  # with large entries compact earlier than by their number


class Compactor:
    """`phase`: 0 to 1, different for each member: were all to compact at once, the leader would lose its quorum to
    it."""

    def __init__(self, log_: Log, state: StateMachine, driver: Driver, timing: Consensus, phase: float) -> None:
        self._log, self._state, self._driver, self._timing = log_, state, driver, timing
        self._threshold_entries = round(timing.compact_every_entries * (1 + phase))
        self._purge_wanted = False
        self.paused = asyncio.Lock()  # held while the state is replaced

    def compacted(self) -> None:
        """The log was shortened: its files can be given back."""
        self._purge_wanted = True

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(CHECKPOINT_SECONDS)
            async with self.paused:
                durable = await asyncio.to_thread(self._state.checkpoint)
            self._shorten(durable)
            if self._purge_wanted:
                self._purge_wanted = False
                await self._driver.writer.run(self._purge)

    def _shorten(self, durable: int) -> None:
        held = durable - self._driver.status().first
        if held >= self._threshold_entries:
            self._driver.compact(durable, self._timing.keep_entries)
        elif held > 1 and self._log.size > MAX_LOG_BYTES:
            self._driver.compact(durable, held // 4)

    def _purge(self) -> None:
        """In the writer's thread, because only one thread at a time may write to the log."""
        groups = self._log.purge()
        if groups:
            log.info("old log files are held by groups %s until their next compaction", groups)
