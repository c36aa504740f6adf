"""A network between members that can be cut: one relay on loopback for each ordered pair of them."""

import asyncio
import contextlib
from collections.abc import Mapping


class Network:
    """`addresses`: where the links of each member listen. `seen_by(node)` is what that member is told instead."""

    def __init__(self, addresses: Mapping[int, str]) -> None:
        self._addresses = dict(addresses)
        self._relays: dict[tuple[int, int], _Relay] = {}

    async def open(self) -> None:
        for a in self._addresses:
            for b in self._addresses:
                if a != b:
                    self._relays[a, b] = relay = _Relay(self._addresses[b])
                    await relay.open()

    async def close(self) -> None:
        for relay in self._relays.values():
            await relay.close()

    def seen_by(self, node: int) -> dict[int, str]:
        others = {b: relay.address for (a, b), relay in self._relays.items() if a == node}
        return {n: others.get(n, address) for n, address in self._addresses.items()}  # in the order of succession

    def drop(self, node: int, peer: int) -> None:
        """All connections between these two end; new ones may come at once."""
        for relay in self._between(node, peer):
            relay.drop()

    def isolate(self, node: int) -> None:
        """From now on everything from and to this member is swallowed; its connections look well."""
        for peer in self._addresses:
            self.mute(node, peer)

    def mute(self, node: int, peer: int) -> None:
        """The same for what is between these two only."""
        for relay in self._between(node, peer):
            relay.swallows = True

    def heal(self, node: int) -> None:
        """What was swallowed never comes: those connections are broken."""
        for peer in self._addresses:
            for relay in self._between(node, peer):
                relay.swallows = False
                relay.drop()

    def _between(self, a: int, b: int) -> list["_Relay"]:
        return [relay for pair, relay in self._relays.items() if set(pair) == {a, b}]


class _Relay:
    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._writers: set[asyncio.StreamWriter] = set()
        self.swallows = False

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        self._server.close()
        self.drop()

    def drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            to_reader, to_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(to_writer)
        pumps = [asyncio.ensure_future(self._pump(r, w)) for r, w in ((reader, to_writer), (to_reader, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for w in (writer, to_writer):
                w.transport.abort()
                self._writers.discard(w)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if not self.swallows:
                    writer.write(data)
                    await writer.drain()
        if self.swallows:  # also the news of an end
            await asyncio.Event().wait()
