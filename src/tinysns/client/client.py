"""The client: what a program uses to log in, follow, post and read, while masters and routers come and go.

async with Client(["10.67.0.11:3010"]) as client:
    session = client.session()
    await session.login("ada")
    await session.post("ada", ["hello"])
    async for post in client.timeline("bob"):
        print(post.author, post.text)

Calls either return, or raise SnsError within `Limits.deadline_seconds`: Definite if they had no effect and will have
none, Indefinite if that is not known. Until then they are tried on one master after the other, and never done twice.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self

from tinysns.client import calls, codec
from tinysns.client.codec import Listing, TimelinePost
from tinysns.client.errors import Definite, Unreachable
from tinysns.client.limits import Limits
from tinysns.client.links import Link
from tinysns.client.masters import Masters
from tinysns.client.outbox import Outbox
from tinysns.client.retrying import ask_masters
from tinysns.client.routes import Route, Routes
from tinysns.client.session import Session
from tinysns.client.timeline import HEARTBEAT_MS, batches_of, final_error
from tinysns.client.waits import Wait, Waits
from tinysns.domain.names import Refused, check_name
from tinysns.domain.writes import SESSION_WINDOW
from tinysns.rpc.call_id import random_session
from tinysns.runtime.tasks import Tasks
from tinysns.wire.v1 import sns_pb2


class Client:
    """Warm channels to all masters and an open ear for changes of the route. Belongs to one event loop.

    `routers`: literal "address:port" of one or more routers; one that answers is enough, and tells of all others.
    Raises BadAddress (a ValueError) if that is something else.
    `on_wait`: is called when a call or a timeline has waited for `Limits.notice_seconds`, and once more (`over`) when
    nothing waits any more; one pair of calls for each outage. It runs on the event loop: it must not block or raise.
    """

    def __init__(
        self,
        routers: Sequence[str],
        *,
        limits: Limits | None = None,
        on_wait: Callable[[Wait], None] | None = None,
    ) -> None:
        if not routers:
            raise ValueError("a client needs the address of at least one router")
        self._limits = limits or Limits()
        self._tasks = Tasks(self._crashed)
        self._masters = Masters(self._tasks, self._limits.try_seconds)
        self._routes = Routes(routers, self._tasks, self._masters.set_route)
        self._waits = Waits(on_wait, self._limits.notice_seconds)
        self._sessions: list[Session] = []

    async def __aenter__(self) -> Self:
        """Raises Unreachable if no router answers, or none knows a master; it says what each of them did."""
        try:
            with self._waits.waiting("the way to the service"):
                await self._routes.find(self._limits.connect_seconds)
            await self._masters.connect(self._limits.try_seconds)
        except BaseException:  # cancelled, perhaps: whatever it was, nothing may go on behind it
            await self._tasks.stop()
            raise
        self._tasks.start("watch the route", self._routes.watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.gather(*(session.close() for session in self._sessions))
        await self._tasks.stop()

    @property
    def route(self) -> Route:
        """Where this client goes right now."""
        return self._masters.route

    @property
    def masters(self) -> tuple[str, ...]:
        """The addresses of all masters it has heard of, in the order in which it tries them."""
        return self._masters.order

    @property
    def connected(self) -> tuple[str, ...]:
        """Those of them whose channel is warm."""
        return tuple(address for address in self._masters.order if self._masters.ready(address))

    def session(self, window: int = SESSION_WINDOW) -> Session:
        """A new session, which lives until the client is left. `window`: the most writes in flight."""
        session = Session(self._masters, self._tasks, self._limits, self._waits, Outbox(random_session), window)
        self._sessions.append(session)
        return session

    async def timeline(
        self, user: str, after_position: int = 0, *, only: Sequence[str] = ()
    ) -> AsyncGenerator[TimelinePost]:
        """Every post of those whom `user` follows, from behind the position on; waits for new ones for ever.

        Once and in order, whatever dies meanwhile. A reader may take its time: the service waits then, and nothing
        piles up. `only`: read from these masters ("address:port") and no others. Raises Definite for an unknown user,
        CursorAhead for a position that this cluster has not reached: begin again from 0.
        """
        async with aclosing(self.timeline_batches(user, after_position, only=only)) as batches:
            async for batch in batches:
                for post in batch:
                    yield post

    def timeline_batches(
        self, user: str, after_position: int = 0, *, only: Sequence[str] = (), heartbeat_ms: int = HEARTBEAT_MS
    ) -> AsyncGenerator[list[TimelinePost]]:
        """The same in batches as they arrive, which is faster. An empty batch: there is nothing more right now."""
        return self._batches(user, after_position, only, heartbeat_ms)

    async def history(
        self, user: str, after_position: int = 0, *, newest: int = 0, only: Sequence[str] = ()
    ) -> list[TimelinePost]:
        """All posts of the timeline up to now; with `newest`, only from the last so many on.

        Those are of whom the user follows now; posts between them of authors whom he has left come along. Raises
        Unreachable, and what `timeline` raises.
        """
        batches = self.history_batches(user, after_position, newest=newest, only=only)
        return [post async for batch in batches for post in batch]

    async def history_batches(
        self, user: str, after_position: int = 0, *, newest: int = 0, only: Sequence[str] = ()
    ) -> AsyncGenerator[list[TimelinePost]]:
        """The same in batches as they arrive, none of them empty."""
        reading = self._batches(user, after_position, only, HEARTBEAT_MS, until_now=True, newest=newest)
        async with aclosing(reading) as batches:
            while True:
                try:
                    async with asyncio.timeout(self._limits.deadline_seconds):
                        batch = await anext(batches)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    tried = ", ".join(only or self.masters)
                    raise Unreachable(f"no master has answered in time (tried {tried})") from None
                if batch:
                    yield batch

    async def _batches(
        self,
        user: str,
        after_position: int,
        only: Sequence[str],
        heartbeat_ms: int,
        *,
        until_now: bool = False,
        newest: int = 0,
    ) -> AsyncGenerator[list[TimelinePost]]:
        _check_name(user)
        request = sns_pb2.TimelineRequest(
            user=user, after_position=after_position, heartbeat_ms=heartbeat_ms, until_now=until_now, newest=newest
        )
        with self._waits.waiting(f"the timeline of {user!r}") as waiting:
            async with aclosing(batches_of(self._masters, waiting, request, only)) as batches:
                async for batch in batches:
                    yield batch

    async def list(self, user: str) -> Listing:
        """Linearizable: it shows every write that was answered before the call. Raises Unreachable, Definite."""
        _check_name(user)
        with self._waits.waiting("a list"):
            return await self._list(user)

    async def _list(self, user: str) -> Listing:
        request = sns_pb2.ListRequest(user=user)

        async def ask(link: Link, seconds: float) -> sns_pb2.ListReply:
            return await calls.list_users(link.channel)(request, timeout=seconds)

        try:
            async with asyncio.timeout(self._limits.deadline_seconds):
                reply = await ask_masters(self._masters, self._limits.try_seconds, ask, final_error)
                return codec.decode_listing(reply)
        except TimeoutError:
            raise Unreachable(f"no master has answered in time (tried {', '.join(self.masters)})") from None

    def _crashed(self, error: BaseException) -> None:
        """A bug in this library: nothing may wait for an answer that nobody will bring."""
        for session in self._sessions:
            session.fail(f"the client has crashed: {error!r}")


def _check_name(user: str) -> None:
    try:
        check_name(user)
    except Refused as e:
        raise Definite(str(e)) from None
