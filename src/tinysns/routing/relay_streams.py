"""Timelines of course clients, passed on in both directions for as long as their master lives.

The first message may be tried on several masters, until one of them says that the timeline is open. From then on the
stream is bound to that master: only it knows what it has sent. When it is lost the stream ends with UNAVAILABLE, and
the client opens the timeline again.

Flow control: each direction holds one message, and takes the next one when the other side has taken that. So gRPC's
windows reach through the relay, and a slow side stops the other one.

Silence of a timeline says nothing, there may just be no posts. So the masters of all streams have to answer a health
check, at each change of the route and from time to time.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import grpc

from tinysns.client.links import Link, cancelled_from_outside
from tinysns.client.masters import Masters
from tinysns.routing.relay_calls import LOST, STATUS_DETAILS, Tries, ask_in_time, pass_on
from tinysns.rpc.errors import abort
from tinysns.rpc.raw import Context, receive

Call: TypeAlias = "grpc.aio.StreamStreamCall[bytes, bytes]"

_DOUBT_SECONDS = 1.0


class StreamRelay:
    """`primary` gives the address of the master that a new stream should go to, or "" if the route knows none."""

    def __init__(self, masters: Masters, primary: Callable[[], str], hold_seconds: float) -> None:
        self._masters = masters
        self._primary = primary
        self._hold_seconds = hold_seconds
        self._calls: set[Call] = set()
        self._carrying: Counter[Link] = Counter()
        self._closed = False

    async def relay(self, method: str, _: object, context: Context) -> None:
        """`method`: "/package.Service/Name"."""
        first = await receive(context)

        async def ask(link: Link, seconds: float) -> tuple[Link, Call]:
            return link, await _open(link, method, first, context.time_remaining(), seconds)

        link, call = await ask_in_time(context, self._masters, self._hold_seconds, ask, Tries(), first=self._primary())
        self._calls.add(call)
        self._carrying[link] += 1
        try:
            await context.send_initial_metadata(())
            await self._carry(link, call, context)
        finally:
            call.cancel()
            self._calls.discard(call)
            self._carrying[link] -= 1

    async def doubt(self) -> None:
        """For ever: sees to it that the streams of a master that hangs, or cannot be reached any more, end."""
        while True:
            await self._masters.changed(_DOUBT_SECONDS)
            for link, streams in self._carrying.items():
                if streams:
                    link.doubt()

    def close(self) -> None:
        """Ends all streams, before the server stops."""
        self._closed = True
        for call in self._calls:
            call.cancel()

    async def _carry(self, link: Link, call: Call, context: Context) -> None:
        try:
            await _both_ways(call, context)
        except grpc.aio.AioRpcError as e:
            said_so_itself = STATUS_DETAILS in dict(e.trailing_metadata() or ())
            if said_so_itself or e.code() not in LOST:
                await pass_on(context, e)
            trouble = e.details() or e.code().name
        except asyncio.CancelledError:  # of the call; so is a call on a channel that was closed
            if cancelled_from_outside():
                raise
            trouble = "this router is stopping" if self._closed else "it does not answer"
        else:
            return
        sentence = f"the master of this timeline is lost ({link.address}: {trouble}); open the timeline again"
        await abort(context, grpc.StatusCode.UNAVAILABLE, "MASTER_LOST", sentence, definite=False)


async def _open(link: Link, method: str, first: bytes | None, deadline_seconds: float | None, seconds: float) -> Call:
    """A stream that its master has accepted. `first`: None if the client has ended its side without a message."""
    call: Call = link.channel.stream_stream(method)(timeout=deadline_seconds)
    try:
        async with asyncio.timeout(seconds):
            if first is None:
                await call.done_writing()
            else:
                await call.write(first)
            await call.initial_metadata()
            if call.done():  # a refusal has no initial metadata, which gRPC reports as empty ones
                await call.read()  # raises the refusal
    except BaseException:  # whatever it is: a call that nobody will read must end
        call.cancel()
        raise
    return call


async def _both_ways(call: Call, context: Context) -> None:
    """Returns when the master has ended the stream. Raises AioRpcError, or CancelledError if the call was cancelled."""
    up = asyncio.create_task(_up(call, context), name="relay a client's messages")
    try:
        # Not call.read(): that one forgets messages that came before an end which is known already.
        async for raw in call:
            await context.write(raw)
    finally:
        up.cancel()
        await asyncio.wait((up,))
    if not up.cancelled():
        up.result()


async def _up(call: Call, context: Context) -> None:
    """From the client to the master; returns when the client has ended its side, which does not end the other one."""
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # whoever reads the call sees its end
        while (raw := await receive(context)) is not None:
            await call.write(raw)
        await call.done_writing()
