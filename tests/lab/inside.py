"""What speaks to the service from inside the lab's network: `lab/hosts exec python -m tests.lab.inside`.

Reads requests and writes answers, one line of JSON each. Ends with its input, so that it never outlives its test.
"""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import grpc

from tinysns.client import Client, Definite, Limits, SnsError, Unreachable
from tinysns.client.status import ClusterStatus, RouterState, cluster_status, digest, master_state, slave_state
from tinysns.domain.writes import Answer, Outcome, Post
from tinysns.wire.csce438 import sns_pb2, sns_pb2_grpc
from tinysns.wire.v1 import router_pb2, router_pb2_grpc

ADDRESSES = {"h1": "10.67.0.11", "h2": "10.67.0.12", "h3": "10.67.0.13", "h4": "10.67.0.14"}
ROUTER = f"{ADDRESSES['h1']}:3010"
MASTERS = {name: f"{address}:3011" for name, address in ADDRESSES.items()}
ROUTERS = [f"{address}:3010" for address in ADDRESSES.values()]  # the router, then its deputies
SLAVES = {name: f"{address}:3012" for name, address in ADDRESSES.items()}

_EVERY_SECONDS = 0.005
_WINDOW = 64
_FLOOD_WINDOW = 8  # each round trip makes a log entry, however many posts are in it
_WRITE_SECONDS = 240.0  # longer than anything that a test does to the service: no write may fail
_LAST_POSTS_SECONDS = 120.0
_COURSE_SECONDS = 60.0
# A try that is given up leads to another master, and some tests say that clients stay where they are.
_HOWEVER_SLOW = Limits(deadline_seconds=120.0, try_seconds=1.0, connect_seconds=60.0)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the clients of one load know so far."""

    acknowledged: list[str]  # in the order in which they were posted
    received: list[str]  # by the follower, in the order of its timeline
    failures: list[str]  # sentences; each a write or a reader that failed
    masters: list[str]  # those that the writes went to, each time another one


@dataclass
class _Load:
    """A writer that posts all the time, and a follower of it."""

    client: Client
    run: str
    acknowledged: dict[int, str] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    masters: list[str] = field(default_factory=list)

    @property
    def author(self) -> str:
        return f"{self.run}-author"

    @property
    def reader(self) -> str:
        return f"{self.run}-reader"

    async def begin(self, *, reads_from: str, flood: bool) -> None:
        """`reads_from`: the only master that the follower may read from; empty: any."""
        self._stopping = asyncio.Event()
        self._session = session = self.client.session(_FLOOD_WINDOW if flood else _WINDOW)
        for user in (self.author, self.reader):
            await session.login(user)
        await session.follow(self.reader, self.author)
        self._more = asyncio.Event()
        self._reading = asyncio.create_task(self._read([MASTERS[reads_from]] if reads_from else []))
        self._writing = asyncio.create_task(self._write(0.0 if flood else _EVERY_SECONDS))

    async def end(self) -> None:
        """Waits for all answers, and for the follower to have seen as many posts."""
        self._stopping.set()
        await self._writing
        await self._session.drain()
        try:
            async with asyncio.timeout(_LAST_POSTS_SECONDS):
                while len(self.received) < len(self.acknowledged) and not self._reading.done():
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            self.failures.append(f"the follower saw no more than {len(self.received)} posts")
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    def traffic(self) -> Traffic:
        acknowledged = [self.acknowledged[n] for n in sorted(self.acknowledged)]
        return Traffic(acknowledged, self.received, self.failures, self.masters)

    async def _write(self, every_seconds: float) -> None:
        number, loop = 0, asyncio.get_running_loop()
        due = loop.time()
        while not self._stopping.is_set():
            try:
                await self._session.room(_WRITE_SECONDS)
            except SnsError as e:
                self.failures.append(str(e))
                return
            number += 1
            text = f"{self.run} {number}"
            future = self._session.submit(Post(self.author, (text,)), _WRITE_SECONDS)
            future.add_done_callback(self._answered(number, text))
            due = max(due + every_seconds, loop.time())
            await asyncio.sleep(due - loop.time())

    def _answered(self, number: int, text: str) -> "Callable[[asyncio.Future[Answer]], None]":
        def answered(future: "asyncio.Future[Answer]") -> None:
            error = future.exception()
            if error is not None:
                self.failures.append(str(error))
            elif (outcome := future.result().outcome) is not Outcome.DONE:
                self.failures.append(f"{text}: {outcome.name}")
            else:
                self.acknowledged[number] = text
                master = self._session.master
                if master and self.masters[-1:] != [master]:
                    self.masters.append(master)

        return answered

    async def _read(self, only: list[str]) -> None:
        try:
            async for batch in self.client.timeline_batches(self.reader, only=only):
                self.received += [post.text for post in batch]
                self._more.set()
        except SnsError as e:
            self.failures.append(f"the follower: {e}")
            self._more.set()


class _Inside:
    """The requests, by the names of the methods."""

    def __init__(self) -> None:
        self._load: _Load | None = None

    async def status(self) -> object:
        """Of all processes, also while the router is gone: a ClusterStatus."""
        try:
            routers: tuple[RouterState, ...] = (await cluster_status([ROUTER])).routers
        except Unreachable as e:
            routers = (RouterState(ROUTER, str(e)),)
        masters = await asyncio.gather(*(master_state(address) for address in MASTERS.values()))
        slaves = await asyncio.gather(*(slave_state(address) for address in SLAVES.values()))
        named = ClusterStatus(
            routers,
            tuple(dataclasses.replace(m, name=name) for name, m in zip(MASTERS, masters, strict=True)),
            tuple(dataclasses.replace(s, name=name) for name, s in zip(SLAVES, slaves, strict=True)),
        )
        return dataclasses.asdict(named)

    async def digests(self) -> object:
        """(applied index, SHA-256) of each master."""
        found = await asyncio.gather(*(digest(address) for address in MASTERS.values()))
        return [[d.applied_index, d.sha256] for d in found]

    async def history(self, master: str, run: str) -> object:
        """All texts that a new client reads from this one master as the follower of a load."""
        async with Client([ROUTER], limits=_HOWEVER_SLOW) as client:
            return [post.text for post in await client.history(f"{run}-reader", only=[MASTERS[master]])]

    async def course(self, master: str, user: str) -> object:
        """A client of the course's interface on this master: (answer to Login, users that List shows)."""
        async with grpc.aio.insecure_channel(MASTERS[master]) as channel:
            stub, request = sns_pb2_grpc.SNSServiceStub(channel), sns_pb2.Request(username=user)
            reply = await stub.Login(request, timeout=_COURSE_SECONDS)
            lists = await stub.List(request, timeout=_COURSE_SECONDS)
            return reply.msg, list(lists.all_users)

    async def newcomer(self, user: str) -> object:
        """A new client of ours, and one that asks each deputy for the Available master: (outcome of login, answers)."""
        async with Client(ROUTERS, limits=_HOWEVER_SLOW) as client:
            outcome = (await client.session().login(user)).outcome.name
        return outcome, [await _available(address) for address in ROUTERS[1:]]

    async def begin(self, run: str, reads_from: str, flood: bool) -> object:
        self._load = _Load(await Client([ROUTER], limits=_HOWEVER_SLOW).__aenter__(), run)
        await self._load.begin(reads_from=reads_from, flood=flood)
        return None

    async def traffic(self) -> object:
        return dataclasses.asdict(self._begun().traffic())

    async def end(self) -> object:
        load = self._begun()
        await load.end()
        await load.client.__aexit__(None, None, None)
        return dataclasses.asdict(load.traffic())

    def _begun(self) -> _Load:
        if self._load is None:
            raise Definite("no load has begun")
        return self._load


async def _available(router: str) -> str:
    """Not by GetAvailable: that one names a proxy, as it is for clients of the course."""
    async with grpc.aio.insecure_channel(router) as channel:
        reply = await router_pb2_grpc.RouterStub(channel).GetRoute(router_pb2.RouteRequest(), timeout=_COURSE_SECONDS)
        return str(reply.leader)


async def _main() -> None:
    inside, reader = _Inside(), asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        name, arguments = json.loads(line)
        work: Callable[..., Awaitable[object]] = getattr(inside, name)
        try:
            answer = {"result": await work(**arguments)}
        except SnsError as e:
            answer = {"error": str(e)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
