"""One try of a session: a Write stream to one master, its watchdog, and whether it should be left."""

import asyncio
from collections.abc import AsyncIterator

from tinysns.client import calls
from tinysns.client.links import Link
from tinysns.client.masters import Masters
from tinysns.client.outbox import Item, Outbox
from tinysns.codec import command_to_wire
from tinysns.domain.writes import Command
from tinysns.wire.v1 import sns_pb2

_BLOCKED_SECONDS = 0.01  # a write that does not have to wait takes microseconds


class WriteStream:
    """One try. `try_seconds`: the longest silence while something is on the way.

    `rests`: it also leaves when there has been nothing to do for as long.
    """

    def __init__(self, link: Link, outbox: Outbox, masters: Masters, try_seconds: float, rests: bool) -> None:
        self.link = link
        self._rests = rests
        self._outbox, self._masters, self._try_seconds = outbox, masters, try_seconds
        self._loop = asyncio.get_running_loop()
        # One queue for each stream: the orphaned reader of an old one would swallow a command of the new one.
        self._outgoing: asyncio.Queue[sns_pb2.Command | None] = asyncio.Queue()
        self._leaving = False
        self._waiting_since = self._loop.time()
        for item in outbox.again():
            self._send(item)
        self.pump()
        self.call = calls.write(link.channel)(self._requests())
        link.calls.add(self.call)
        self._watchdog = self._loop.call_later(try_seconds, self._watch)
        masters.add_listener(self._look_for_leader)

    @property
    def moved(self) -> bool:
        """Everything is answered, and the leader is elsewhere, or there has been nothing to do for a while."""
        return self._leaving and not self._outbox.on_the_way

    def pump(self) -> None:
        """Sends what waits."""
        if self._leaving:
            return
        if not self._outbox.on_the_way:
            self._waiting_since = self._loop.time()
        for item in self._outbox.first_time():
            self._send(item)

    def heard(self) -> None:
        self._waiting_since = self._loop.time()

    def close(self) -> None:
        self._masters.remove_listener(self._look_for_leader)
        self._watchdog.cancel()
        self._outgoing.put_nowait(None)
        self.link.calls.discard(self.call)
        self.call.cancel()

    def _send(self, item: Item) -> None:
        self._outgoing.put_nowait(command_to_wire(Command(self._outbox.session, item.number, item.write)))

    async def _requests(self) -> AsyncIterator[sns_pb2.Command]:
        while (command := await self._outgoing.get()) is not None:
            began = self._loop.time()
            yield command
            # A write that had to wait for flow control, and then went on: the other side lives and reads. Many long
            # posts take a while to get there, and to begin again elsewhere would not make it shorter.
            if self._loop.time() - began > _BLOCKED_SECONDS:
                self.heard()

    def _watch(self) -> None:
        waits = self._outbox.on_the_way or self._rests
        silent_seconds = self._loop.time() - self._waiting_since if waits else 0.0
        if silent_seconds < self._try_seconds:
            self._watchdog = self._loop.call_later(self._try_seconds - silent_seconds, self._watch)
        else:
            if self._outbox.on_the_way:
                self.link.doubt()
            else:
                self._leaving = True
            self.call.cancel()

    def _look_for_leader(self) -> None:
        leader = self._masters.leader
        if leader is not None and leader is not self.link and not self._leaving:
            self._leaving = True
            if self.moved:
                self.call.cancel()
