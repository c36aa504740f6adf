"""Background tasks: each has a name and an owner, and a crash of one is a crash of the process (ARCHITECTURE.md,
G7)."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

CANCEL_AGAIN_SECONDS = 0.05
EXIT_CRASH = 70  # sysexits.h EX_SOFTWARE: a broken rule or a broken disk; whoever supervises starts a new process


class Tasks:
    """The background tasks of one process. `on_crash` gets the first error that a task let through."""

    def __init__(self, on_crash: Callable[[BaseException], None]) -> None:
        self._on_crash = on_crash
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs `work` until it ends, fails or `stop` is called."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("task %s failed: %r", task.get_name(), error, exc_info=error)
            self._on_crash(error)

    async def stop(self) -> None:
        """Cancels what still runs and waits for its end.

        More than once: a cancellation that meets an expiring `asyncio.wait_for` in the same turn of the loop is lost in
        Python 3.11 (bpo-37658).
        """
        while self._running:
            running = list(self._running)
            for task in running:
                task.cancel()
            await asyncio.wait(running, timeout=CANCEL_AGAIN_SECONDS)
            await asyncio.sleep(0)  # `_ended` runs in the next turn
