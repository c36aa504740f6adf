"""How a process of ours begins and ends: arguments, journal, event loop, signals, exit status.

The first SIGTERM or SIGINT asks for an orderly end, a second one ends at once. Exit status: 0 after an orderly end, 2
for what a person must change first (settings, a port in use, a foreign data directory), 70 for a crash.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import uvloop

from tinysns.runtime import systemd
from tinysns.runtime.tasks import EXIT_CRASH

log = logging.getLogger(__name__)

EXIT_USAGE = 2


class CannotStart(Exception):
    """A person must change something first; str() is one sentence that says what."""


class Process:
    """Handed to the main coroutine: how it learns that it should end, and how it says that it must."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self._error: BaseException | None = None

    def crash(self, error: BaseException) -> None:
        """A rule or a disk is broken: end now, without the orderly way out, which could only do more harm."""
        log.critical("ending at once: %r", error)
        logging.shutdown()
        os._exit(EXIT_CRASH)

    def _signalled(self, number: int) -> None:
        if self.stopping.is_set():
            log.warning("second %s: ending at once", signal.Signals(number).name)
            logging.shutdown()
            os._exit(128 + number)
        log.info("%s: stopping", signal.Signals(number).name)
        self.stopping.set()

    def listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)


def run(name: str, main: Callable[[Process], Awaitable[None]]) -> int:
    """Runs `main` on a fresh event loop; returns the exit status."""
    set_up_logging(name)

    async def supervised() -> None:
        process = Process()
        process.listen_for_signals()
        gc.freeze()  # what was imported stays for good: collections need not look at it again, which took milliseconds
        watchdog = asyncio.get_running_loop().create_task(_feed_watchdog(), name="watchdog")
        try:
            await main(process)
        finally:
            watchdog.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watchdog

    try:
        uvloop.run(supervised())
    except CannotStart as e:
        print(f"{name}: {e}", file=sys.stderr)
        return EXIT_USAGE
    return 0


def set_up_logging(name: str) -> None:
    """One line per event on standard error, which is the journal; its time stamps are better than ours would be."""
    logging.basicConfig(
        stream=sys.stderr,
        level=os.environ.get("TINYSNS_LOG", "INFO"),
        format=f"%(levelname)s {name} %(name)s: %(message)s",
    )


async def _feed_watchdog() -> None:
    interval_seconds = systemd.watchdog_interval_seconds()
    while interval_seconds:
        systemd.notify("WATCHDOG=1")
        await asyncio.sleep(interval_seconds)
