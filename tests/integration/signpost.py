"""A router that knows nothing and sends every client where a test wants it: to a standby, say."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Self

import grpc

from tests.integration.service import free_ports
from tinysns.rpc.server import Server
from tinysns.wire.v1 import router_pb2, router_pb2_grpc


class Signpost(router_pb2_grpc.RouterServicer):
    """Use as a context. `masters`: their addresses, in the order in which a client is to try them."""

    def __init__(self, masters: Sequence[str]) -> None:
        self._route = router_pb2.Route(primary=masters[0], backups=masters[1:])
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"

    async def __aenter__(self) -> Self:
        self._server = Server()
        router_pb2_grpc.add_RouterServicer_to_server(self, self._server.grpc)
        await self._server.start([self.address], ())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._server.stop(0)

    async def GetRoute(self, request: router_pb2.RouteRequest, context: grpc.aio.ServicerContext) -> router_pb2.Route:
        return self._route

    async def Watch(
        self, request: router_pb2.RouteRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[router_pb2.Route]:
        yield self._route
        await asyncio.Event().wait()
