"""The proxy: answers the interfaces of the course on a router's port, for clients that take the router for the server.

Unary calls are passed on as bytes (proxy_calls.py); timelines belong to the proxy, and outlive masters
(proxy_streams.py). Where to is decided as for all clients: by the routing table's route, over warm links to all
masters. There are none before the first call: where nobody wants a proxy, a failover has that many fewer connections to
care for.
"""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc

from tinysns.client.limits import Limits
from tinysns.client.masters import Masters
from tinysns.client.outbox import Outbox
from tinysns.client.routes import decode
from tinysns.client.session import Session
from tinysns.client.waits import Waits
from tinysns.course.interfaces import Interface, interfaces
from tinysns.course.texts import SPRING2019
from tinysns.domain.writes import SESSION_WINDOW
from tinysns.routing.proxy_calls import UnaryProxy
from tinysns.routing.proxy_sessions import CallIds
from tinysns.routing.proxy_streams import StreamProxy
from tinysns.routing.servicer import Routing
from tinysns.rpc.channels import MANY_CALLS
from tinysns.rpc.raw import Context
from tinysns.runtime.tasks import Tasks

# What tells dialects apart is in answers to unary calls, and those come from the masters.
_INTERFACES = interfaces(SPRING2019)

# Of a health check. A doubted link that fails it is closed with all that is on it, so this is longer than a busy master
# ever needs; calls have gone on to another master long before, and one that really hangs is soon killed by its slave.
_ANSWER_SECONDS = 2.0
_DOUBT_SECONDS = 1.0
# Of a stream's writes, without any answer. The end of a master is heard of much sooner; this is for those that hang,
# and to begin again elsewhere is no help on a machine that is merely busy.
_TRY_SECONDS = 1.0
# Of the masters that the route prefers. The first calls wait for them, for no longer than that.
_CONNECT_SECONDS = 0.2


class Proxy:
    """`hold_seconds`: how long a unary call without a deadline waits for a master. `new_session` gives random session
    ids."""

    names = tuple(interface.service for interface in _INTERFACES)
    """of the gRPC services, for reflection"""

    def __init__(self, routing: Routing, tasks: Tasks, hold_seconds: float, new_session: Callable[[], int]) -> None:
        self._routing = routing
        self._tasks = tasks
        self._new_id = new_session
        self._limits = Limits(deadline_seconds=math.inf, try_seconds=_TRY_SECONDS)
        self._waits = Waits(None, self._limits.notice_seconds)
        self._masters = Masters(tasks, _ANSWER_SECONDS, MANY_CALLS, self._primary)
        self._unary = UnaryProxy(self._masters, CallIds(new_session), hold_seconds)
        self._streams = StreamProxy(self._masters, tasks, self._waits, self._session)
        self._wanted = asyncio.Event()
        self._connected = asyncio.Event()

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """To be added to the server."""
        return tuple(
            grpc.method_handlers_generic_handler(interface.service, self._methods(interface))
            for interface in _INTERFACES
        )

    def start(self) -> None:
        """It waits to be wanted."""
        self._tasks.start("proxy: route", self._follow_route())
        self._tasks.start("proxy: doubt", self._doubt())

    def connect(self) -> None:
        """It is wanted: from now on it follows the route and keeps links to all masters. The first call does this."""
        self._wanted.set()

    async def close(self) -> None:
        """Lets the clients of all streams go; what was read from them is stored first. To be called before the server
        stops."""
        await self._streams.close()

    def _methods(self, interface: Interface) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
        path = f"/{interface.service}/"
        unary = {name: partial(self._unary.read, path + name) for name in interface.reads}
        unary |= {name: partial(self._unary.write, path + name) for name in interface.writes}
        stream = self._wanting(partial(self._streams.serve, interface))
        return {
            **{name: grpc.unary_unary_rpc_method_handler(self._wanting(serve)) for name, serve in unary.items()},
            interface.timeline: grpc.stream_stream_rpc_method_handler(stream),
        }

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
        """For ever. Silence of a timeline says nothing, there may just be no posts."""
        await self._wanted.wait()
        while True:
            await self._masters.changed(_DOUBT_SECONDS)
            self._masters.doubt_timelines()

    async def _follow_route(self) -> None:
        await self._wanted.wait()
        async with aclosing(self._routing.routes()) as routes:
            async for route in routes:
                self._masters.set_route(decode(route))
                if not self._connected.is_set():
                    await self._masters.connect(_CONNECT_SECONDS)
                    self._connected.set()

    def _session(self) -> Session:
        """Its writes wait for as long as they must, and its stream ends while there are none."""
        outbox = Outbox(self._new_id, insists=True)
        return Session(self._masters, self._tasks, self._limits, self._waits, outbox, SESSION_WINDOW, rests=True)

    def _primary(self) -> str:
        """For one more stream. Under `balanced` each has its own, by the load as it is now."""
        route = self._routing.route()
        return route.primary if route is not None else ""
