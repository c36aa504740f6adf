"""Counts timelines that end: `python -m chaos.bench.loopback.streams USER MASTER...`, one bare stream to each master.

Not by the client library, which hides such ends by going on elsewhere; clients of the course cannot. The streams show
everything that the user's timeline shows. `ended` on standard input is answered with how many have ended so far.
"""

import asyncio
import sys
from collections.abc import Sequence

import grpc
import uvloop

from chaos.traffic.orders import Abandoned, Orders
from tinysns.client import calls
from tinysns.rpc.channels import open_channel
from tinysns.wire.v1 import sns_pb2

_HEARTBEAT_MS = 200
_AGAIN_SECONDS = 0.2


class _Stream:
    """To one master, opened again whenever it ends."""

    def __init__(self, user: str, master: str) -> None:
        self._user, self._master = user, master
        self._position = 0
        self.opened = asyncio.Event()
        self.ended = 0

    async def keep(self) -> None:
        while True:
            request = sns_pb2.TimelineRequest(
                user=self._user, after_position=self._position, heartbeat_ms=_HEARTBEAT_MS
            )
            async with open_channel(self._master) as channel:
                try:
                    async for message in calls.timeline(channel)(request):
                        self.opened.set()
                        if message.posts:
                            self._position = message.posts[-1].position
                except grpc.aio.AioRpcError:
                    pass  # counted below, whatever it was
            self.ended += self.opened.is_set()
            await asyncio.sleep(_AGAIN_SECONDS)


async def _watch(user: str, masters: Sequence[str]) -> None:
    orders = Orders()
    streams = [_Stream(user, master) for master in masters]
    keeping = [asyncio.ensure_future(stream.keep()) for stream in streams]
    await asyncio.gather(*(stream.opened.wait() for stream in streams))
    orders.tell("ready")
    try:
        while True:
            await orders.wait_for("ended")
            orders.tell(str(sum(stream.ended for stream in streams)))
    except Abandoned:
        return
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)


if __name__ == "__main__":
    uvloop.run(_watch(sys.argv[1], sys.argv[2:]))
