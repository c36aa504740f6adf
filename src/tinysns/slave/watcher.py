"""The watch over the master, in the real world: feeds what happens to the rules and does what they say.

All rules are in domain/supervision.py; here are only the clock, the process and the journal.
"""

import asyncio
import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tinysns.domain import supervision as rules
from tinysns.runtime import pidlock, robust, systemd
from tinysns.runtime.tasks import Tasks
from tinysns.slave import child
from tinysns.slave.adopt import LOCK_NAME, NobodyKnown, age_seconds, claim_or_find

log = logging.getLogger(__name__)

# The event loop's clock counts milliseconds: a timer may be early by one.
_TIMER_SECONDS = 0.001


class Watcher:
    """Keeps one master running. `announce` is called with the incarnation of each one that has died."""

    def __init__(
        self, limits: rules.Rules, command: Sequence[str], runtime: Path, announce: Callable[[int], None], tasks: Tasks
    ) -> None:
        self.watch = rules.Watch()
        self.begun = asyncio.Event()  # the first start came to something, be it good or bad
        self.finished = asyncio.Event()
        self._limits, self._command, self._lock = limits, tuple(command), runtime / LOCK_NAME
        self._announce, self._tasks = announce, tasks
        self._child: child.Child | None = None
        self._said = (0, "")  # (pid, trouble) of the last heartbeat
        self._listening_to = 0  # the pid whose mutex is waited for
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Adopts the master that runs, or starts one."""
        self._feed(rules.Tick(time.monotonic()))

    def stop(self) -> None:
        """Asks for the orderly end of the master; `finished` follows."""
        self._feed(rules.StopRequested(time.monotonic()))

    def heartbeat(self, pid: int, incarnation: int, serving: bool, trouble: str) -> None:
        """The master has said that it lives, and if it does not serve, why."""
        self._feed(rules.Heartbeat(time.monotonic(), pid, incarnation, serving))
        if pid == self.watch.pid:
            self._said = (pid, trouble)
            self._listen_for_the_end(pid)

    @property
    def trouble(self) -> str:
        """Why the living master does not serve, in its own words; empty if it has not said."""
        pid, trouble = self._said
        return trouble if pid == self.watch.pid else ""

    @property
    def next_start_in_seconds(self) -> float:
        """0.0 unless the next start waits for its time."""
        if self.watch.phase is not rules.Phase.WAITING:
            return 0.0
        return max(0.0, self.watch.next_start_at - time.monotonic())

    def _feed(self, event: rules.Event) -> None:
        state = self.watch.state
        self.watch, actions = rules.step(self._limits, self.watch, event)
        for action in actions:
            self._do(action)
        if self.watch.state != state:
            systemd.notify(f"STATUS=master: {self.watch.state}")
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if (wake_at := self.watch.wake_at(self._limits)) is not None:
            delay_seconds = max(0.0, wake_at - time.monotonic()) + _TIMER_SECONDS
            self._timer = asyncio.get_running_loop().call_later(delay_seconds, self._tick)

    def _tick(self) -> None:
        self._feed(rules.Tick(time.monotonic()))

    def _do(self, action: rules.Action) -> None:
        match action:
            case rules.Start():
                self._tasks.start("start-master", self._start())
            case rules.Terminate():
                self._signal(signal.SIGTERM)
            case rules.Kill():
                self._signal(signal.SIGKILL)
            case rules.Announce():
                self._announce(action.incarnation)
            case rules.Say():
                log.log(logging.WARNING if action.bad else logging.INFO, "%s", action.sentence)
            case rules.Finish():
                self.finished.set()

    def _signal(self, number: signal.Signals) -> None:
        if self._child is not None:
            self._child.signal(number)

    async def _start(self) -> None:
        try:
            found = await claim_or_find(self._lock)
            event = self._spawn(found) if isinstance(found, pidlock.Claim) else self._adopt(found)
        except (OSError, NobodyKnown) as e:
            event = rules.StartFailed(time.monotonic(), str(e))
        self._feed(event)
        self.begun.set()

    def _listen_for_the_end(self, pid: int) -> None:
        """Whoever sends heartbeats holds the mutex. A daemon: nothing but the master's end wakes the thread."""
        if pid == self._listening_to:
            return
        self._listening_to = pid
        loop = asyncio.get_running_loop()

        def listen() -> None:
            if mutex.wait():
                with contextlib.suppress(RuntimeError):  # the slave has just ended
                    loop.call_soon_threadsafe(self._dying, pid)

        try:
            mutex = robust.Mutex(robust.beside(self._lock))
        except OSError as e:  # the end is noticed all the same, by the pidfd
            log.warning("the master's end will be noticed some ms later than it could be: %s", e)
            return
        threading.Thread(target=listen, name=f"end of {pid}", daemon=True).start()

    def _dying(self, pid: int) -> None:
        self._feed(rules.Dying(time.monotonic(), pid))

    def _spawn(self, claim: pidlock.Claim) -> rules.Event:
        self._keep(child.spawn(self._command, claim))
        return rules.Spawned(time.monotonic(), self._kept.pid)

    def _adopt(self, holder: pidlock.Holder) -> rules.Event:
        self._keep(child.adopt(holder))
        return rules.Adopted(time.monotonic(), holder.pid, age_seconds(holder.pid))

    @property
    def _kept(self) -> child.Child:
        assert self._child is not None
        return self._child

    def _keep(self, process: child.Child) -> None:
        self._child = process
        process.when_ended(lambda ending: self._feed(rules.Exited(time.monotonic(), process.pid, ending)))
