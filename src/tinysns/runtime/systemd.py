"""What systemd wants to hear from a Type=notify unit (sd_notify(3)). Says nothing when no one listens."""

import os
import socket


def notify(state: str) -> None:
    """Sends e.g. "READY=1", "WATCHDOG=1", "STATUS=..." to the service manager."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
        s.sendto(state.encode(), address)


def watchdog_interval_seconds() -> float | None:
    """How often to send WATCHDOG=1: half of what the unit allows; None if it has no WatchdogSec."""
    usec = os.environ.get("WATCHDOG_USEC")
    return int(usec) / 2e6 if usec else None
