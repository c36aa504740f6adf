"""The local socket on which the master of this host says that it lives: a datagram for each heartbeat.

No other host can reach it, and no other user may: it lies in the runtime folder.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

from google.protobuf.message import DecodeError

from tinysns.wire.v1 import slave_pb2

MAX_BEAT_BYTES = 4096


class HeartbeatSocket:
    """Calls `heard` for each heartbeat, until `close`. Raises OSError if the socket cannot be made."""

    def __init__(self, path: Path, heard: Callable[[slave_pb2.Heartbeat], None]) -> None:
        self._heard = heard
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            path.unlink(missing_ok=True)  # what a killed slave left; a living one has the port, and was found by that
            self._socket.bind(str(path))
        except OSError:
            self._socket.close()
            raise
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, DecodeError):  # read already; not from a master of ours
            self._heard(slave_pb2.Heartbeat.FromString(self._socket.recv(MAX_BEAT_BYTES)))


def somebody_listens(path: Path) -> bool:
    """Whether a process has this socket; one that a killed slave left behind does not count."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
