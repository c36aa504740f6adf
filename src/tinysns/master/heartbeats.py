"""Heartbeats to the slave of this host, from a thread of their own: a busy event loop must not look dead.

Each beat is a datagram to the slave's local socket, so there is no stream to keep: a slave that is replaced finds the
next one there. It says how this master is, as the event loop noted it, and for how long that loop has owed an answer.
"""

import asyncio
import contextlib
import os
import socket
import threading
import time
from pathlib import Path

from tinysns.wire.v1 import slave_pb2

BEAT_SECONDS = 0.25


class Heartbeats:
    """Beats from `start` on, until the process ends. Its methods are the event loop's."""

    def __init__(self, slave: Path) -> None:
        """`slave`: the path of its socket."""
        self._slave = slave
        self._loop = asyncio.get_running_loop()
        self._said = slave_pb2.Heartbeat(pid=os.getpid())
        self._news = threading.Event()
        self._asked_at: float | None = None  # when the loop was asked for an answer that has not come yet

    def start(self) -> None:
        threading.Thread(target=self._beat, name="heartbeats", daemon=True).start()

    def say(self, incarnation: int, trouble: str) -> None:
        """From now on, and the first time at once. `trouble`: why this master does not serve, empty if it does."""
        self._said = slave_pb2.Heartbeat(pid=os.getpid(), incarnation=incarnation, serving=not trouble, trouble=trouble)
        self._news.set()

    def _answer(self) -> None:
        self._asked_at = None

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _beat(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as local:
            local.setblocking(False)
            while True:
                self._news.clear()
                with contextlib.suppress(OSError):  # no slave just now, or one that does not read
                    local.sendto(self._message(), str(self._slave))
                if self._asked_at is None:
                    self._asked_at = time.monotonic()
                    with contextlib.suppress(RuntimeError):  # the loop is closed: this process is about to end
                        self._loop.call_soon_threadsafe(self._answer)
                self._news.wait(BEAT_SECONDS)

    def _message(self) -> bytes:
        beat, asked_at = slave_pb2.Heartbeat(), self._asked_at
        beat.CopyFrom(self._said)
        beat.stuck_seconds = time.monotonic() - asked_at if asked_at is not None else 0.0
        return beat.SerializeToString()
