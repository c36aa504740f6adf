"""Masters: the warm links to all of them, and which one a call goes to next."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from tinysns.client.links import Link
from tinysns.client.routes import Route
from tinysns.rpc.channels import Options
from tinysns.runtime.tasks import Tasks

_LOOK_AGAIN_SECONDS = 0.2
_ADVANTAGE_SECONDS = 0.02  # how much sooner than those that are waited for another one may be connected


class Masters:
    """All masters that a route ever named. One that is not in the newest route may still live: it comes last.

    `options`: of the channels to them. `primary`: gives where one more timeline belongs under `balanced`, for who knows
    better than the route.
    """

    def __init__(
        self,
        tasks: Tasks,
        answer_seconds: float,
        options: Options = (),
        primary: Callable[[], str] | None = None,
    ) -> None:
        self._tasks = tasks
        self._answer_seconds = answer_seconds
        self._options = options
        self._primary = primary
        self._links: dict[str, Link] = {}
        self._listeners: set[Callable[[], None]] = set()
        self._changed = asyncio.Event()
        self.route = Route()

    def set_route(self, route: Route) -> None:
        """Goes by this route from now on."""
        died = set(route.dead) - set(self.route.dead)
        self.route = route
        for address in died & self._links.keys():
            self._links[address].lost()
        for address in route.order:
            if link := self._links.get(address):
                link.kick()
            else:
                link = self._links[address] = Link(address, self._tell, self._answer_seconds, self._options)
                self._tasks.start(f"link {address}", link.keep())
        self._tell()

    def add_listener(self, listener: Callable[[], None]) -> None:
        """`listener` is called on each change of the route or of a link."""
        self._listeners.add(listener)

    def remove_listener(self, listener: Callable[[], None]) -> None:
        self._listeners.discard(listener)

    @property
    def order(self) -> tuple[str, ...]:
        """The addresses of all masters, in the order in which to try them."""
        return tuple(dict.fromkeys((*self.route.order, *self._links)))

    @property
    def leader(self) -> Link | None:
        """The link to the leader if clients should be there and it is ready."""
        link = self._links.get(self.route.leader) if self.route.follows_leader else None
        return link if link and link.ready else None

    def ready(self, address: str) -> bool:
        """Whether the link to this master is connected."""
        return address in self._links and self._links[address].ready

    async def connect(self, seconds: float) -> None:
        """Waits a moment for the first of the route, so that the first calls do not go to whoever connects faster.

        Under `balanced` for all of them, so that the first timelines are spread.
        """
        loop, others_ready = asyncio.get_running_loop(), False
        wanted = self.route.order if self.balanced else self.route.order[:1]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds) as limit:
                while not all(self.ready(address) for address in wanted):
                    if not others_ready and any(link.ready for link in self._links.values()):
                        others_ready = True
                        limit.reschedule(loop.time() + min(_ADVANTAGE_SECONDS, seconds))
                    await self.changed(seconds)

    async def pick(self, leave: str = "", only: Sequence[str] = ()) -> Link:
        """The next master behind `leave` whose channel is ready; waits while there is none. `only`: one of these."""
        return (await self._ready(leave, only))[0]

    async def pick_for_timeline(self, leave: str = "", only: Sequence[str] = ()) -> Link:
        """The same for one more timeline. Under `balanced` the one of them that has the fewest of this client's: the
        routers' word is about a client, and says nothing of a hundred timelines that it may have.
        """
        ready = await self._ready(leave, only)
        if not self.balanced or only:
            return ready[0]
        elsewhere = [link for link in ready if link.address != leave] or ready
        if self._primary is not None:
            address = self._primary()
            return next((link for link in elsewhere if link.address == address), elsewhere[0])
        return min(elsewhere, key=lambda link: link.timelines)

    def doubt_timelines(self) -> None:
        """Has all masters that carry timelines answer a health check: who waits for posts does not hear a silence."""
        for link in self._links.values():
            if link.timelines:
                link.doubt()

    @property
    def balanced(self) -> bool:
        """Whether timelines should be spread over all masters."""
        return self.route.policy == "balanced"

    async def _ready(self, leave: str, only: Sequence[str]) -> list[Link]:
        """All that can be used, in the order in which to try them; at least one."""
        while True:
            order = [a for a in self.order if a in only] if only else list(self.order)
            if leave in order:
                at = order.index(leave) + 1
                order = order[at:] + order[:at]
            if ready := [self._links[address] for address in order if self._links[address].ready]:
                return ready
            await self.changed(_LOOK_AGAIN_SECONDS)

    async def changed(self, seconds: float) -> None:
        """Returns on the next change of the route or of a link, after `seconds` at the latest."""
        # Not wait_for: in Python 3.11 it loses a cancellation that meets the change in the same turn of the loop.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        for listener in tuple(self._listeners):
            listener()


class Pace:
    """How fast to go round: at once while there are masters left to try, then ever more slowly until one answers."""

    _FIRST_SECONDS = 0.005
    _LONGEST_SECONDS = 0.2

    def __init__(self, masters: Masters) -> None:
        self._masters = masters
        self._in_vain = 0
        self.answers = 0

    def answered(self) -> None:
        """A master did what it was asked."""
        self._in_vain = 0
        self.answers += 1

    @property
    def patience(self) -> int:
        """How many times its usual limit a try gets: 1 in the first round, later up to 16: slowness makes no storm."""
        return 1 << min(self._rounds, 4)

    @property
    def _rounds(self) -> int:
        return self._in_vain // max(1, len(self._masters.order))

    async def before_next(self) -> None:
        """To be awaited behind each try that ended without an answer."""
        self._in_vain += 1
        if self._rounds:
            over = self._in_vain - len(self._masters.order)
            await self._masters.changed(min(self._FIRST_SECONDS * 2 ** min(over, 16), self._LONGEST_SECONDS))
