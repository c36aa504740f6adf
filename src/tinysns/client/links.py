"""Links: one warm channel to each master, replaced as soon as it fails, so that a retry never has to connect first.

gRPC's own reconnect back-off is at least 100 ms, and a channel to a stopped process looks ready for seconds. So neither
is left to gRPC: a failed channel is closed and a new one made, and a silent one has to answer a health check.
"""

import asyncio
import contextlib
from collections.abc import Callable

import grpc
from grpc import ChannelConnectivity

from tinysns.client import calls
from tinysns.rpc.channels import Options, open_channel

# Whoever was lost is not back sooner, and those who take over need the processor in just these milliseconds.
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.25


def cancelled_from_outside() -> bool:
    """Whether a CancelledError is meant for this task; a call on a channel that was closed raises one as well."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def answers(channel: grpc.aio.Channel, seconds: float) -> bool:
    """Whether a living process is at the other end: a stopped one keeps its connections, and says nothing."""
    try:
        await calls.health(channel)(b"", timeout=seconds)
    except grpc.aio.AioRpcError as e:
        return e.code() is not grpc.StatusCode.DEADLINE_EXCEEDED  # any other answer comes from a living process
    return True


class Link:
    """The channel to one master. `on_change` is called whenever `ready` changes."""

    def __init__(
        self, address: str, on_change: Callable[[], None], answer_seconds: float, options: Options = ()
    ) -> None:
        self.address = address
        self.ready = False
        self.timelines = 0  # of this client, that are open on this link
        self.calls = set[grpc.aio.Call]()  # long ones, which `lost` cancels
        self.channel = open_channel(address, options)
        self._options = options
        self._on_change = on_change
        self._answer_seconds = answer_seconds
        self._lost = False
        self._doubted = asyncio.Event()
        self._kicked = asyncio.Event()

    def lost(self) -> None:
        """The master has died, says who must know, and its sockets follow in some ms: nobody should wait for them."""
        self._lost = True
        self._doubted.set()
        self._set_ready(False)
        for call in tuple(self.calls):
            call.cancel()

    def doubt(self) -> None:
        """A call on this link got no answer in time: find out whether the master lives, replace the channel if not."""
        self._doubted.set()

    def kick(self) -> None:
        """The master may be back: do not wait for the end of the pause."""
        self._kicked.set()

    async def keep(self) -> None:
        """Keeps the channel connected, until cancelled."""
        pause_seconds = _FIRST_PAUSE_SECONDS
        try:
            while True:
                if await self._follow(self.channel):
                    pause_seconds = _FIRST_PAUSE_SECONDS
                self._set_ready(False)
                await self._pause(pause_seconds)
                await self.channel.close()
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
                self.channel = open_channel(self.address, self._options)
        finally:
            self._set_ready(False)
            await self.channel.close()

    async def _follow(self, channel: grpc.aio.Channel) -> bool:
        """Follows the state of the channel until it is lost; returns whether it ever was ready."""
        self._lost = False
        self._doubted.clear()
        while True:
            state = channel.get_state(try_to_connect=True)
            if self.ready and state is not ChannelConnectivity.READY:
                return True
            if state in (ChannelConnectivity.TRANSIENT_FAILURE, ChannelConnectivity.SHUTDOWN):
                return False
            self._set_ready(state is ChannelConnectivity.READY)
            if not await self._unchanged_and_alive(channel, state):
                return self.ready or self._lost

    async def _unchanged_and_alive(self, channel: grpc.aio.Channel, state: ChannelConnectivity) -> bool:
        """Waits for the next state of the channel; returns False when the other side stopped answering meanwhile."""
        change = asyncio.ensure_future(channel.wait_for_state_change(state))
        doubt = asyncio.ensure_future(self._doubted.wait())
        try:
            while True:
                await asyncio.wait((change, doubt), return_when=asyncio.FIRST_COMPLETED)
                if self._lost:
                    return False
                if change.done():
                    return True
                self._doubted.clear()
                if state is ChannelConnectivity.READY and not await answers(channel, self._answer_seconds):
                    return False
                doubt = asyncio.ensure_future(self._doubted.wait())
        finally:
            change.cancel()
            doubt.cancel()

    async def _pause(self, seconds: float) -> None:
        self._kicked.clear()
        if seconds:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._kicked.wait()

    def _set_ready(self, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            self._on_change()
