"""Telling a real stop of the unit from a crash of the slave, and ending the master that a stop left behind.

The master outlives its slave (KillMode=process), so that a crash of the slave costs nothing. But after a real stop it
must be gone, even if the slave was killed before it could do anything. systemd runs ExecStopPost after both, and
ExecStop before a real stop or restart only. So the unit says:

    ExecStop=... -m tinysns.slave announce-stop CONFIG        leaves a mark
    ExecStopPost=... -m tinysns.slave stop-master CONFIG      with the mark: ends the master if it still runs

The next slave removes the mark. Imports little: this runs at each restart of the slave, before the new one.
"""

import os
import select
import signal
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tinysns.runtime.pidlock import Claim, Holder, claim

MARK_NAME = "stopping"
_SAY_WHO_SECONDS = 2.0
_ASK_AGAIN_SECONDS = 0.01
_KILL_SECONDS = 1.0
# RestartSec=0 must not become a tight loop of a slave that cannot start.
_USAGE_PAUSE_SECONDS = 2.0
_DEFAULT_STOP_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class _Settings:
    runtime: Path
    stop_seconds: float


def _load(config: Path) -> _Settings:
    """The two that matter here, without the full check, which costs a tenth of a second."""
    table = tomllib.loads(config.read_text())
    return _Settings(Path(table["runtime"]), float(table.get("stop_seconds", _DEFAULT_STOP_SECONDS)))


def announce_stop(config: Path) -> int:
    """ExecStop. Returns the exit status."""
    # Without MAINPID the slave has ended by itself, and systemd is only tidying up: that is no stop.
    if os.environ.get("MAINPID"):
        (_load(config).runtime / MARK_NAME).touch()
    return 0


def stop_master(config: Path) -> int:
    """ExecStopPost. Returns the exit status."""
    settings = _load(config)
    if (settings.runtime / MARK_NAME).exists() or _slave_died_of_a_stop():
        return _end(settings)
    if os.environ.get("EXIT_CODE") == "exited" and os.environ.get("EXIT_STATUS") == "2":
        time.sleep(_USAGE_PAUSE_SECONDS)
    return 0


def _slave_died_of_a_stop() -> bool:
    """A slave that was told to stop before it could listen for that (in its first moments ExecStop does not run)."""
    return os.environ.get("EXIT_CODE") == "killed" and os.environ.get("EXIT_STATUS") in ("TERM", "INT")


def _end(settings: _Settings) -> int:
    holder = _find(settings.runtime / "master.lock")
    if holder is None:
        return 0
    print(f"the slave is gone; stopping its master, pid {holder.pid}", file=sys.stderr)
    for number, seconds in ((signal.SIGTERM, settings.stop_seconds), (signal.SIGKILL, _KILL_SECONDS)):
        try:
            signal.pidfd_send_signal(holder.pidfd, number)
        except ProcessLookupError:
            return 0
        if select.select([holder.pidfd], [], [], seconds)[0]:
            return 0
    print(f"the master, pid {holder.pid}, survived SIGKILL: it waits for its disk and ends with that", file=sys.stderr)
    return 1


def _find(lock: Path) -> Holder | None:
    """Who holds the lock; None: nobody, or nobody who says so."""
    deadline = time.monotonic() + _SAY_WHO_SECONDS
    while time.monotonic() < deadline:
        found = claim(lock)
        if isinstance(found, Claim):
            found.give_up()
            return None
        if found is not None:
            return found
        time.sleep(_ASK_AGAIN_SECONDS)  # a file's content makes no event that is worth waiting for here
    print(f"{lock} is held by a process that does not say which one it is; `fuser {lock}` does", file=sys.stderr)
    return None
