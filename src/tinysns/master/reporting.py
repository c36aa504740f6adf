"""What a master tells others about itself, all the time: its slave that it lives, the routers how it is."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from tinysns.rpc.channels import open_channel
from tinysns.wire.v1 import router_pb2, router_pb2_grpc, slave_pb2, slave_pb2_grpc

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 0.2
DUAL_PING_SECONDS = 0.1
RECONNECT_SECONDS = 0.05
CONNECT_SECONDS = 1.0


class _Link:
    """A stream on which something is said at once on every change, and in between as often as agreed; kept for ever."""

    def __init__(self, address: str, interval_seconds: float) -> None:
        self._address, self._interval_seconds = address, interval_seconds
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """There is something new to say."""
        self._changed.set()

    async def run(self) -> None:
        """For ever, on a new channel for each attempt."""
        while True:
            async with open_channel(self._address) as channel:
                with contextlib.suppress(grpc.aio.AioRpcError, TimeoutError, asyncio.InvalidStateError):
                    await asyncio.wait_for(channel.channel_ready(), CONNECT_SECONDS)
                    await self._stream(channel)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _stream(self, channel: grpc.aio.Channel) -> None:
        raise NotImplementedError

    async def _say(self, call: Any, message: Callable[[], Any]) -> None:
        """Until the stream ends, which the next write tells by an error."""
        call.add_done_callback(lambda _: self._changed.set())
        while not call.done():
            self._changed.clear()
            await call.write(message())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._interval_seconds)


class SlaveLink(_Link):
    """Heartbeats to the slave of this host, over its local socket; the slave may be replaced at any time."""

    def __init__(self, socket: Path, heartbeat: Callable[[], slave_pb2.Heartbeat]) -> None:
        super().__init__(f"unix:{socket}", HEARTBEAT_SECONDS)
        self._heartbeat = heartbeat

    async def _stream(self, channel: grpc.aio.Channel) -> None:
        await self._say(slave_pb2_grpc.SlaveStub(channel).Heartbeats(), self._heartbeat)


class RouterLink(_Link):
    """Registration at one router, and its DualPing stream."""

    def __init__(self, address: str, state: Callable[[], router_pb2.Message]) -> None:
        super().__init__(address, DUAL_PING_SECONDS)
        self._state = state

    async def _stream(self, channel: grpc.aio.Channel) -> None:
        stub = router_pb2_grpc.RouterStub(channel)
        response = await stub.AddMaster(self._state(), timeout=CONNECT_SECONDS)
        if response.result == router_pb2.REFUSED:
            log.error("router %s: %s", self._address, response.msg)
        await self._say(stub.DualPing(), self._state)
