"""What a server does about clients that are gone without a word."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from tests.integration.service import free_ports
from tinysns.rpc.server import Server, keepalive


class BlackHole:
    """Passes bytes on between a client and a server, until it swallows them: as when a host has lost its power."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.swallows = False

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(self._pass(reader, target_writer), self._pass(target_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self.swallows:
                writer.write(data)


@asynccontextmanager
async def stream_through(hole: BlackHole) -> AsyncIterator[grpc.aio.StreamStreamCall]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{await hole.start()}") as channel:
        call = channel.stream_stream("/test.Test/Stream")()
        await call.write(b"hello")
        await call.initial_metadata()
        yield call


async def test_with_keepalive_the_stream_of_a_client_that_is_gone_ends() -> None:
    ended = asyncio.Event()

    async def stream(_: object, context: grpc.aio.ServicerContext) -> None:
        try:
            await context.send_initial_metadata(())
            await asyncio.Event().wait()
        finally:
            ended.set()

    (port,) = free_ports(1)
    server = Server(keepalive(0.2))
    handler = grpc.stream_stream_rpc_method_handler(stream)
    server.grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Test", {"Stream": handler}),))
    await server.start([f"127.0.0.1:{port}"], ())
    hole = BlackHole(port)
    async with stream_through(hole):
        hole.swallows = True
        async with asyncio.timeout(20):
            await ended.wait()
    await server.stop(0)
