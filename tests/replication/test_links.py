"""Links, one by one."""

import asyncio

import pytest

from tinysns.replication import links as module
from tinysns.replication.links import Links, Peer
from tinysns.wire.v1 import master_pb2 as pb


class Channel:
    """Connects when it is told to."""

    def __init__(self) -> None:
        self.ready = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> "Channel":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def channel_ready(self) -> None:
        await self.ready


async def test_a_link_that_connects_at_the_moment_of_its_end_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    channel, peer = Channel(), Peer(2, "127.0.0.1:1")
    monkeypatch.setattr(module, "open_channel", lambda _: channel)
    links = Links(pb.Hello(node=1), [peer], inbox=None)
    link = asyncio.create_task(links.run(peer))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    links.isolate()
    channel.ready.set_result(None)
    await asyncio.sleep(0)
    link.cancel()
    await asyncio.wait((link,), timeout=60)
    assert link.cancelled()
