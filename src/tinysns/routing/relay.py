"""The relay: answers the interfaces of the course on a router's port, for clients that take the router for the server.

It passes bytes on and knows nothing but the names of the methods. Where to is decided as for all clients: by the
routing table's route, over warm links to all masters. There are none before the first call: where nobody wants to be
relayed, a failover has that many fewer connections to care for.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from enum import Enum, auto
from functools import partial
from typing import Any

import grpc

from tinysns.client.masters import Masters
from tinysns.client.routes import decode
from tinysns.course.interfaces import interfaces
from tinysns.course.texts import SPRING2019
from tinysns.routing.relay_calls import UnaryRelay
from tinysns.routing.relay_sessions import CallIds
from tinysns.routing.relay_streams import StreamRelay
from tinysns.routing.servicer import Routing
from tinysns.rpc.channels import SMALL_WINDOWS
from tinysns.rpc.raw import Context
from tinysns.runtime.tasks import Tasks


class _Kind(Enum):
    READ = auto()
    WRITE = auto()
    STREAM = auto()


_SERVICES = {
    interface.service: {
        **dict.fromkeys(interface.reads, _Kind.READ),
        **dict.fromkeys(interface.writes, _Kind.WRITE),
        interface.timeline: _Kind.STREAM,
    }
    for interface in interfaces(SPRING2019)  # in whatever words: the masters speak them
}

# Of a health check. A doubted link that fails it is closed with all streams on it, so this is longer than a busy master
# ever needs; calls have gone on to another master long before.
_ANSWER_SECONDS = 1.0
# Of the masters that the route prefers. The first calls wait for them, for no longer than that.
_CONNECT_SECONDS = 0.2


class Relay:
    """`hold_seconds`: how long a call without a deadline waits for a master. `new_session` gives random session ids."""

    names = tuple(_SERVICES)
    """of the gRPC services, for reflection"""

    def __init__(self, routing: Routing, tasks: Tasks, hold_seconds: float, new_session: Callable[[], int]) -> None:
        self._routing = routing
        self._tasks = tasks
        self._masters = Masters(tasks, _ANSWER_SECONDS, SMALL_WINDOWS)
        self._unary = UnaryRelay(self._masters, CallIds(new_session), hold_seconds)
        self._streams = StreamRelay(self._masters, self._primary, hold_seconds)
        self._wanted = asyncio.Event()
        self._connected = asyncio.Event()

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """To be added to the server."""
        return tuple(
            grpc.method_handlers_generic_handler(
                service, {name: self._handler(f"/{service}/{name}", kind) for name, kind in methods.items()}
            )
            for service, methods in _SERVICES.items()
        )

    def start(self) -> None:
        """It waits to be wanted."""
        self._tasks.start("relay: route", self._follow_route())
        self._tasks.start("relay: doubt", self._doubt())

    def connect(self) -> None:
        """It is wanted: from now on it follows the route and keeps links to all masters. The first call does this."""
        self._wanted.set()

    def close(self) -> None:
        """Tells the clients of all streams to open them again elsewhere. Call it before the server stops."""
        self._streams.close()

    def _handler(self, method: str, kind: _Kind) -> "grpc.RpcMethodHandler[Any, Any]":
        match kind:
            case _Kind.READ:
                return grpc.unary_unary_rpc_method_handler(self._wanting(partial(self._unary.read, method)))
            case _Kind.WRITE:
                return grpc.unary_unary_rpc_method_handler(self._wanting(partial(self._unary.write, method)))
            case _Kind.STREAM:
                return grpc.stream_stream_rpc_method_handler(self._wanting(partial(self._streams.relay, method)))

    def _wanting(self, serve: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[Any]]:
        async def handler(request: Any, context: Context) -> Any:
            self.connect()
            # Or the first calls would go to whichever master is connected first, and their timelines stay there.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CONNECT_SECONDS):
                    await self._connected.wait()
            return await serve(request, context)

        return handler

    async def _doubt(self) -> None:
        await self._wanted.wait()
        await self._streams.doubt()

    async def _follow_route(self) -> None:
        await self._wanted.wait()
        async with aclosing(self._routing.routes()) as routes:
            async for route in routes:
                self._masters.set_route(decode(route))
                if not self._connected.is_set():
                    await self._masters.connect(_CONNECT_SECONDS)
                    self._connected.set()

    def _primary(self) -> str:
        """For one more stream. Under `balanced` each has its own, by the load as it is now."""
        route = self._routing.route()
        return route.primary if route is not None else ""
