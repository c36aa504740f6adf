"""Routes: asks the routers which masters there are and in which order to try them, and keeps listening for changes.

Routers are needed to get in, not to stay in: when all of them are gone, the last route goes on being used.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc

from tinysns.client import calls
from tinysns.client.errors import Unreachable
from tinysns.client.links import cancelled_from_outside
from tinysns.rpc.channels import open_channel
from tinysns.wire.v1 import router_pb2

_ANSWER_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Route:
    """Where a client goes. Addresses are "address:port"."""

    order: tuple[str, ...] = ()  # the primary, then its backups
    leader: str = ""  # the Available master; empty while there is none
    term: int = 0
    routers: tuple[str, ...] = ()

    @property
    def follows_leader(self) -> bool:
        """Whether clients should be on the leader (policy `available`), not anywhere (`balanced`)."""
        return bool(self.leader) and self.order[:1] == (self.leader,)


def _decode(route: router_pb2.Route) -> Route:
    order = (route.primary, *route.backups) if route.primary else tuple(route.backups)
    return Route(order, route.leader, route.term, tuple(route.routers))


class Routes:
    """The route as the routers tell it. `on_change` is called with each new one."""

    def __init__(self, routers: Sequence[str], on_change: Callable[[Route], None]) -> None:
        self.current = Route()
        self._given = tuple(dict.fromkeys(routers))
        self._on_change = on_change
        self._answered = ""  # the router that answered last

    async def find(self, deadline_seconds: float) -> None:
        """Asks all routers at once, again and again, until one knows a master. Raises Unreachable."""
        replies: dict[str, str] = {}
        try:
            async with asyncio.timeout(deadline_seconds):
                pause_seconds = _FIRST_PAUSE_SECONDS
                while not await self._ask_all(replies):
                    await asyncio.sleep(pause_seconds)  # a back-off: nothing on this side could announce a router
                    pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
        except TimeoutError:
            tried = ", ".join(self._given)
            if any(replies.values()):
                raise Unreachable(f"the router answers, but it knows no master that serves (tried {tried})") from None
            raise Unreachable(f"no router answers (tried {tried})") from None

    async def _ask_all(self, replies: dict[str, str]) -> bool:
        asking = [asyncio.create_task(self._ask(router), name=f"ask {router}") for router in self._given]
        try:
            for answer in asyncio.as_completed(asking):
                router, route = await answer
                if route is not None:
                    replies[router] = "answered"
                    if route.order:
                        self._answered = router
                        self._set(route)
                        return True
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return False

    async def _ask(self, router: str) -> tuple[str, Route | None]:
        async with open_channel(router) as channel:
            try:
                return router, _decode(await calls.route(channel)(router_pb2.RouteRequest(), timeout=_ANSWER_SECONDS))
            except grpc.aio.AioRpcError:
                return router, None  # `find` asks again and says which routers were tried

    async def watch(self) -> None:
        """Follows the route, on one router after the other, until cancelled."""
        pause_seconds = 0.0
        while True:
            for router in self._in_turn():
                if await self._watch_one(router):
                    pause_seconds = 0.0
            await asyncio.sleep(pause_seconds)  # a back-off while no router is up
            pause_seconds = min(max(2 * pause_seconds, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)

    def _in_turn(self) -> list[str]:
        known = list(dict.fromkeys((*self._given, *self.current.routers)))
        at = known.index(self._answered) if self._answered in known else 0
        return known[at:] + known[:at]

    async def _watch_one(self, router: str) -> bool:
        """Returns whether it said anything, once it ended."""
        said = False
        async with open_channel(router) as channel:
            # An error is the end of this router, nothing else; the caller goes on to the next one.
            with contextlib.suppress(grpc.aio.AioRpcError):
                try:
                    async for route in calls.watch_route(channel)(router_pb2.RouteRequest()):
                        said, self._answered = True, router
                        self._set(_decode(route))
                except asyncio.CancelledError:
                    if cancelled_from_outside():
                        raise
        return said

    def _set(self, route: Route) -> None:
        if route.order and route.term < self.current.term and route.leader:
            return  # a router that lags behind: newer terms win
        if route.order and route != self.current:
            self.current = route
            self._on_change(route)
