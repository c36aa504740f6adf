"""Routes: asks the routers which masters there are and in which order to try them, and keeps listening for changes.

Routers are needed to get in, not to stay in: when all of them are gone, the last route goes on being used.

    to get in      one router is asked; one that fails, or is not back at once, is joined by the next one
    to stay        one router is watched; an idle Watch says nothing, and neither does a stopped router, so now and then
                   it has to answer a health check
    newer terms    win: a router that tells a lower one lags behind, and another one is watched. But if nobody has told
    win            anything else for some seconds, it is so: the cluster was founded again
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc

from tinysns.client import calls
from tinysns.client.errors import Unreachable
from tinysns.client.links import answers, cancelled_from_outside
from tinysns.client.reasons import NO_ANSWER, reason
from tinysns.domain.addresses import check_address
from tinysns.rpc.channels import open_channel
from tinysns.rpc.errors import info
from tinysns.runtime.tasks import Tasks
from tinysns.wire.v1 import router_pb2

_ANSWER_SECONDS = 1.0
# A router on the same network answers in 5 ms. Asking more than one costs: each counts the client as one of its own.
_HEDGE_SECONDS = 0.01
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5
_LOOK_SECONDS = 3.0  # between health checks; meanwhile only a change of the route can be missed
_BELIEVE_LOWER_SECONDS = 3.0  # longer than masters and routers need to find each other again

_KNOWS_NO_MASTER = "it knows no master"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a client goes. Addresses are "address:port"."""

    order: tuple[str, ...] = ()  # the primary, then its backups
    leader: str = ""  # the Available master; empty while there is none
    term: int = 0
    routers: tuple[str, ...] = ()
    policy: str = "available"  # or "balanced"
    dead: tuple[str, ...] = ()  # masters that died by the word of their slaves, and are not back

    @property
    def primary(self) -> str:
        """The master to begin with; empty: none."""
        return self.order[0] if self.order else ""

    @property
    def follows_leader(self) -> bool:
        """Whether clients should be on the leader, not anywhere."""
        return bool(self.leader) and self.primary == self.leader and self.policy == "available"


class Routes:
    """The route as the routers tell it. `on_change` is called with each new one. Raises BadAddress."""

    def __init__(self, routers: Sequence[str], tasks: Tasks, on_change: Callable[[Route], None]) -> None:
        for router in routers:
            check_address(router)
        self.current = Route()
        self._given = tuple(dict.fromkeys(routers))
        self._tasks = tasks
        self._on_change = on_change
        self._answered = ""  # the router that answered last
        self._term = 0  # the newest one in which a leader was heard of
        self._lower_since: float | None = None  # since when nothing but lower terms has been heard of

    async def find(self, deadline_seconds: float) -> None:
        """Asks the routers, again and again, until one knows a master. Raises Unreachable."""
        replies = dict.fromkeys(self._given, NO_ANSWER)
        try:
            async with asyncio.timeout(deadline_seconds):
                pause_seconds = _FIRST_PAUSE_SECONDS
                while not await self._ask_in_turn(replies):
                    await asyncio.sleep(pause_seconds)  # a back-off: nothing on this side could announce a router
                    pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
        except TimeoutError:
            tried = ", ".join(f"{router}: {reply}" for router, reply in replies.items())
            if _KNOWS_NO_MASTER in replies.values():
                raise Unreachable(f"no router knows a master, is the service running? (tried {tried})") from None
            raise Unreachable(f"no router answers (tried {tried})") from None

    async def watch(self) -> None:
        """Follows the route, on one router after the other, until cancelled."""
        pause_seconds, tried = _FIRST_PAUSE_SECONDS, set[str]()
        while True:
            router = next((router for router in self._in_turn() if router not in tried), "")
            if not router:
                await asyncio.sleep(pause_seconds)  # a back-off while no router is up
                pause_seconds = min(2 * pause_seconds, _LONGEST_PAUSE_SECONDS)
                tried.clear()
                continue
            if await self._watch_one(router):
                pause_seconds = _FIRST_PAUSE_SECONDS
                tried.clear()
            tried.add(router)

    async def _ask_in_turn(self, replies: dict[str, str]) -> bool:
        """Returns whether a router told a route, the first of which counts."""
        left, asking = self._in_turn(), set[asyncio.Task[Route | None]]()
        try:
            while left or asking:
                if left:
                    router = left.pop(0)
                    asking.add(asyncio.create_task(self._ask(router, replies), name=f"ask {router}"))
                wait_seconds = _HEDGE_SECONDS if left else None
                done, asking = await asyncio.wait(asking, timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if (route := task.result()) is not None:
                        self._take(route)
                        return True
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return False

    async def _ask(self, router: str, replies: dict[str, str]) -> Route | None:
        async with open_channel(router) as channel:
            try:
                reply = await calls.route(channel)(router_pb2.RouteRequest(), timeout=_ANSWER_SECONDS)
            except grpc.aio.AioRpcError as e:
                replies[router] = _KNOWS_NO_MASTER if info(e)[0] == "NO_MASTER" else reason(e)
                return None
        replies[router] = _KNOWS_NO_MASTER
        route = decode(reply)
        if route.order:
            self._answered = router
            return route
        return None

    def _in_turn(self) -> list[str]:
        """All routers, the one that answered last first."""
        known = list(dict.fromkeys((*self._given, *self.current.routers)))
        at = known.index(self._answered) if self._answered in known else 0
        return known[at:] + known[:at]

    async def _watch_one(self, router: str) -> bool:
        """Returns, once it is over, whether it ever told a route to go by."""
        told = False
        async with open_channel(router) as channel:
            call = calls.watch_route(channel)(router_pb2.RouteRequest(stay=self.current.primary))
            guard = self._tasks.start(f"look after {router}", _end_when_hung(channel, call))
            try:
                async for message in call:
                    if not self._take(decode(message)):
                        break
                    told, self._answered = True, router
            except grpc.aio.AioRpcError:
                pass  # the end of this router, nothing else; the caller goes on to the next one
            except asyncio.CancelledError:
                if cancelled_from_outside():
                    raise
            finally:
                guard.cancel()
        return told

    def _take(self, route: Route) -> bool:
        """Goes by this route from now on, or returns False: it is out of date."""
        if not route.order:
            return True  # it says nothing
        if route.leader:
            if route.term < self._term and not self._nothing_else_was_heard():
                return False
            self._term, self._lower_since = route.term, None
        if route != self.current:
            self.current = route
            self._on_change(route)
        return True

    def _nothing_else_was_heard(self) -> bool:
        now = asyncio.get_running_loop().time()
        if self._lower_since is None:
            self._lower_since = now
        return now - self._lower_since >= _BELIEVE_LOWER_SECONDS


async def _end_when_hung(
    channel: grpc.aio.Channel, call: "grpc.aio.UnaryStreamCall[router_pb2.RouteRequest, router_pb2.Route]"
) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        if not await answers(channel, _ANSWER_SECONDS):
            call.cancel()
            return


def decode(route: router_pb2.Route) -> Route:
    """From the wire."""
    order = (route.primary, *route.backups) if route.primary else tuple(route.backups)
    policy = route.policy or "available"
    return Route(order, route.leader, route.term, tuple(route.routers), policy, tuple(route.dead))
