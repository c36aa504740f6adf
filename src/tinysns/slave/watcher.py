"""The watch over the master, in the real world: feeds what happens to the rules and does what they say.

All rules are in domain/supervision.py; here are only the clock, the process and the journal.
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tinysns.domain import supervision as rules
from tinysns.runtime import pidlock, systemd
from tinysns.runtime.tasks import Tasks
from tinysns.slave import child
from tinysns.slave.adopt import LOCK_NAME, NobodyKnown, age_seconds, claim_or_find
from tinysns.wire.v1 import slave_pb2

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
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Adopts the master that runs, or starts one."""
        self._feed(rules.Tick(time.monotonic()))

    def stop(self) -> None:
        """Asks for the orderly end of the master; `finished` follows."""
        self._feed(rules.StopRequested(time.monotonic()))

    def heartbeat(self, beat: slave_pb2.Heartbeat) -> None:
        """The master has said that it lives, and if it does not serve, why."""
        now = time.monotonic()
        self._feed(rules.Heartbeat(now, beat.pid, beat.incarnation, beat.serving, beat.stuck_seconds))
        if beat.pid == self.watch.pid:
            self._said = (beat.pid, beat.trouble)

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
