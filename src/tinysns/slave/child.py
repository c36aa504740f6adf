"""One master process as its slave sees it: spawned or adopted, signalled, and its end noticed within milliseconds."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Sequence

from tinysns.domain.supervision import Ending
from tinysns.runtime import pidlock

# What systemd told the slave about itself, which is none of the master's business.
_SLAVE_ONLY = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Child:
    """A living master. A pidfd names it, so that no signal can hit another process that got its number later."""

    def __init__(self, pid: int, pidfd: int, process: "subprocess.Popen[bytes] | None") -> None:
        self.pid = pid
        self._pidfd = pidfd
        self._process = process  # None: adopted

    def when_ended(self, tell: Callable[[Ending], None]) -> None:
        """Calls `tell` on the event loop, once, when the process has ended."""
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
            tell(self._ending())

        loop.add_reader(self._pidfd, ended)

    def signal(self, number: signal.Signals) -> None:
        """Does nothing if the process has just ended: its end will be told."""
        if self._pidfd >= 0:
            try:
                signal.pidfd_send_signal(self._pidfd, number)
            except ProcessLookupError:
                return

    def _ending(self) -> Ending:
        if self._process is None:
            return Ending()
        status = self._process.wait()  # at once: the pidfd said that it is over
        return Ending(signal=_signal_name(-status)) if status < 0 else Ending(status=status)


def spawn(command: Sequence[str], lock: pidlock.Claim) -> Child:
    """Executes the master, which inherits the lock and this process's standard output: the journal, never a pipe.

    A real exec: gRPC does not survive a fork. In a session of its own, because what is meant for the slave's group
    must not hit the master. Raises OSError, with the lock given up.
    """
    environment = {k: v for k, v in os.environ.items() if k not in _SLAVE_ONLY}
    environment[pidlock.ENVIRONMENT] = str(lock.descriptor)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(lock.descriptor,),
            env=environment,
        )
    except OSError:
        lock.give_up()
        raise
    lock.pass_to(process.pid)
    return Child(process.pid, os.pidfd_open(process.pid), process)


def adopt(holder: pidlock.Holder) -> Child:
    """The master of an earlier slave."""
    return Child(holder.pid, holder.pidfd, None)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
