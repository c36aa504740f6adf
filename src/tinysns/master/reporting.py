"""What a master tells the routers about itself, all the time."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

import grpc

from tinysns.rpc.channels import open_channel
from tinysns.runtime.tasks import Tasks
from tinysns.wire.v1 import router_pb2, router_pb2_grpc

log = logging.getLogger(__name__)

# To each of four routers. All that clients are waiting for is said at once, so this is only how a router finds out that
# a master hangs or cannot be reached (RoutingSettings.silence_seconds). An idle deputy takes 0.9 % of a core, and would
# take 2.4 % if each master spoke ten times a second.
DUAL_PING_SECONDS = 0.4
# Routers count whom they sent where, so they can do without the newest load for a moment, and a herd of clients must
# not make a message of each that comes.
SOON_SECONDS = 0.05
RECONNECT_SECONDS = 0.05
REFUSED_SECONDS = 1.0  # somebody must change an inventory first
# A router answers each ping. One that does not is stopped, or the way to it is cut, which a stream may hide for long.
ANSWER_SECONDS = 2.0


class _Refused(Exception):
    """The router does not want this master; str() is what it said."""


class RouterLinks:
    """The links to the router and all deputies; see RouterLink."""

    def __init__(self, addresses: Sequence[str], state: Callable[[], router_pb2.Message]) -> None:
        self._links = [RouterLink(address, state) for address in addresses]
        self._soon: asyncio.TimerHandle | None = None

    def start(self, tasks: Tasks) -> None:
        for link in self._links:
            tasks.start("router-link", link.run())

    def changed(self) -> None:
        """There is something that clients are waiting for: it is said at once."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        for link in self._links:
            link.changed()

    def changed_soon(self) -> None:
        """There is something that nobody waits for, like the number of streams: it is said within SOON_SECONDS, in one
        message with all that follows."""
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(SOON_SECONDS, self.changed)


class RouterLink:
    """Registration at one router, and its DualPing stream: something is said at once on every change, and in between as
    often as agreed; kept for ever."""

    def __init__(self, address: str, state: Callable[[], router_pb2.Message]) -> None:
        self._address, self._state = address, state
        self._changed = asyncio.Event()
        self._refusal = ""

    def changed(self) -> None:
        """There is something new to say."""
        self._changed.set()

    async def run(self) -> None:
        """For ever, on a new channel for each attempt: an old one would back off."""
        while True:
            pause_seconds = RECONNECT_SECONDS
            async with open_channel(self._address) as channel:
                try:
                    await self._stream(channel)
                except _Refused as e:
                    pause_seconds = REFUSED_SECONDS
                    self._refuse(str(e))
                except grpc.aio.AioRpcError as e:
                    log.debug("%s: %s", self._address, e.details())
                except (TimeoutError, asyncio.InvalidStateError) as e:  # silent; ended between the look and the write
                    log.debug("%s: %r", self._address, e)
            await asyncio.sleep(pause_seconds)

    def _refuse(self, sentence: str) -> None:
        if sentence != self._refusal:
            log.error("%s: %s", self._address, sentence)
        self._refusal = sentence

    async def _stream(self, channel: grpc.aio.Channel) -> None:
        stub = router_pb2_grpc.RouterStub(channel)
        response = await stub.AddMaster(self._state(), timeout=ANSWER_SECONDS)
        if response.result == router_pb2.REFUSED:
            raise _Refused(response.msg)
        self._refusal = ""
        call = stub.DualPing()
        saying = asyncio.create_task(self._say(call), name=f"ping {self._address}")
        try:
            await self._listen(call)
        finally:
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)  # its error is the one that _listen got
            call.cancel()

    async def _say(self, call: "grpc.aio.StreamStreamCall[router_pb2.Message, router_pb2.Message]") -> None:
        """Until the stream ends."""
        call.add_done_callback(lambda _: self._changed.set())
        while not call.done():
            self._changed.clear()
            await call.write(self._state())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DUAL_PING_SECONDS):
                    await self._changed.wait()

    async def _listen(self, call: "grpc.aio.StreamStreamCall[router_pb2.Message, router_pb2.Message]") -> None:
        """Until the stream ends. Answers must be read in any case, or the router cannot write, and then not read."""
        while True:
            async with asyncio.timeout(ANSWER_SECONDS):
                if await call.read() is grpc.aio.EOF:
                    return
