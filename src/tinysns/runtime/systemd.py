"""What systemd wants to hear from a Type=notify unit (sd_notify(3)). Says nothing when no one listens."""

import logging
import os
import socket

log = logging.getLogger(__name__)


def notify(state: str) -> None:
    """Sends e.g. "READY=1", "WATCHDOG=1", "STATUS=..." to the service manager. Never fails."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
        try:
            s.sendto(state.encode(), address)
        except (
            OSError
        ) as e:  # a manager that is gone, or just being replaced, is no reason to leave the master unwatched
            log.warning("cannot tell systemd %s: %s", state, e.strerror)


def watchdog_interval_seconds() -> float | None:
    """How often to send WATCHDOG=1: half of what the unit allows; None if it has no WatchdogSec."""
    usec = os.environ.get("WATCHDOG_USEC")
    return int(usec) / 2e6 if usec else None
