"""A crowd of clients, and kills in its midst: `lab/hosts exec python -m tests.lab.crowd INVENTORY POLICY STUBS RESULT`.

Ten clients of ours post 1,000 times and read; ten that know only the course's proto file (raw_clients.py) read too.
Meanwhile one process after the other is killed, as chaos does it, each while posts are under way. What all of them saw
is written to the file RESULT; test_whole_service.py judges it.
"""

import asyncio
import contextlib
import dataclasses
import json
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path

from chaos.cluster import ClusterView, observe
from chaos.faults import Fault, Process, Victim
from chaos.faults.kill import Kill, Target
from chaos.hosts import Remotes
from chaos.inventory import Inventory, read_inventory
from tinysns.client import Client, Limits, TimelinePost
from tinysns.domain.writes import Outcome, Post

CLIENTS = 10
POSTS = 1000
_EVERY_SECONDS = 0.1
_BEFORE_THE_KILL = 50
_RECOVER_SECONDS = 120.0
_LAST_POSTS_SECONDS = 120.0
_LINE_BYTES = 2**26
_HOWEVER_SLOW = Limits(deadline_seconds=120.0, connect_seconds=60.0)

Seen = tuple[int, str, str]  # position, author, text


@dataclass(frozen=True)
class Killed:
    """One kill, and what came of it."""

    target: str
    host: str
    pid: int
    open_streams: int  # of the master of this host


@dataclass
class Result:
    """All that was seen."""

    truth: dict[str, list[Seen]] = field(default_factory=dict)  # by master: what a fresh client reads of everything
    acknowledged: list[tuple[int, str, str, int]] = field(default_factory=list)  # Seen, and when (monotonic ns)
    ours: dict[str, list[Seen]] = field(default_factory=dict)  # by user
    raw: object = None  # what raw_clients.py says
    killed: list[Killed] = field(default_factory=list)
    spread: dict[str, int] = field(default_factory=dict)  # open streams by host, before the first kill


class OurClient:
    """One user of the reference client, who posts and reads."""

    def __init__(self, client: Client, user: str, result: Result) -> None:
        self.user, self._client, self._result = user, client, result
        self._session = client.session()
        self._seen: list[Seen] = []
        self._numbers = 0
        self._moved = asyncio.Event()

    async def log_in(self) -> None:
        await self._session.login(self.user)

    async def follow(self, users: Sequence[str]) -> None:
        for user in users:
            if user != self.user:
                await self._session.follow(self.user, user)

    def start_reading(self, only: Sequence[str] = ()) -> None:
        self._result.ours[self.user] = self._seen
        self._reading = asyncio.create_task(self._read(only))

    async def stop_reading(self) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self, only: Sequence[str]) -> None:
        async with aclosing(self._client.timeline_batches(self.user, only=only)) as batches:
            async for batch in batches:
                self._seen += [_seen(post) for post in batch]
                self._moved.set()

    async def post(self, count: int, acknowledged: "asyncio.Queue[None]") -> None:
        """At a steady pace; returns with the last answer."""
        loop = asyncio.get_running_loop()
        due, answers = loop.time(), []
        for _ in range(count):
            self._numbers += 1
            await self._session.room()
            answers.append(asyncio.ensure_future(self._post_one(f"{self.user} {self._numbers}")))
            answers[-1].add_done_callback(lambda _: acknowledged.put_nowait(None))
            due += _EVERY_SECONDS
            await asyncio.sleep(due - loop.time())  # the pace; nothing is waited for
        await asyncio.gather(*answers)

    async def has_seen(self, position: int) -> None:
        """Returns at the deadline, too: what is missing is for the judge to say. Raises what has ended the reading."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_POSTS_SECONDS):
                while not self._seen or self._seen[-1][0] < position:
                    self._moved.clear()
                    moved = asyncio.create_task(self._moved.wait())
                    await asyncio.wait((moved, self._reading), return_when=asyncio.FIRST_COMPLETED)
                    moved.cancel()
                    if self._reading.done():
                        await self._reading

    async def _post_one(self, text: str) -> None:
        answer = await self._session.submit(Post(self.user, (text,)))
        if answer.outcome is not Outcome.DONE:
            raise RuntimeError(f"{text}: {answer.outcome.name}")
        self._result.acknowledged.append((answer.position, self.user, text, time.monotonic_ns()))


class RawClients:
    """The other ten, a process of their own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, stubs: str, addresses: Sequence[str], users: Sequence[str]) -> "RawClients":
        words = ("-m", "tests.lab.raw_clients", stubs, ",".join(addresses), ",".join(users))
        pipe = asyncio.subprocess.PIPE
        clients = cls(
            await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe, limit=_LINE_BYTES)
        )
        await clients.answer()
        return clients

    async def order(self, words: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{words}\n".encode())
        return await self.answer()

    async def answer(self) -> str:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the raw clients ended with status {await self._process.wait()}, see above")
        return line.decode()

    async def end(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


async def run(inventory: Inventory, policy: str, stubs: str, remotes: Remotes, result: Result) -> None:
    """Fills `result`."""
    name = f"crowd{secrets.token_hex(3)}"
    users, raw_users = ([f"{name}-{kind}{n}" for n in range(CLIENTS)] for kind in ("our", "raw"))
    doors = [f"{host.service_ip}:{host.router_port}" for host in inventory.masters]
    async with AsyncExitStack() as stack:
        raw = await RawClients.start(stubs, doors, raw_users)
        stack.push_async_callback(raw.end)
        ours = [
            OurClient(
                await stack.enter_async_context(Client(inventory.router_addresses, limits=_HOWEVER_SLOW)), user, result
            )
            for user in users
        ]
        judge = await stack.enter_async_context(Client(inventory.router_addresses, limits=_HOWEVER_SLOW))
        everything = OurClient(judge, f"{name}-judge", result)
        await asyncio.gather(*(client.log_in() for client in (*ours, everything)))
        await asyncio.gather(*(client.follow([*users, *raw_users]) for client in (*ours, everything)))
        await _start_reading(inventory, policy, ours)
        for client in ours:
            stack.push_async_callback(client.stop_reading)
        await raw.order("follow " + ",".join([*users, *raw_users]))
        view = await observe(inventory)
        result.spread.update({master.host.name: master.open_streams for master in view.masters})
        for target in (Target.AVAILABLE, Target.ROUTER, Target.SLAVE, Target.STANDBY):
            await _post_and_kill(inventory, remotes, ours, target, result)
        last = max(result.acknowledged)
        await asyncio.gather(*(client.has_seen(last[0]) for client in ours if client.user != last[1]))
        result.raw = json.loads(await raw.order(f"until {last[2]}"))
        for host in inventory.masters:
            posts = await judge.history(everything.user, only=(host.master,))
            result.truth[host.name] = [_seen(post) for post in posts]


async def _start_reading(inventory: Inventory, policy: str, ours: Sequence[OurClient]) -> None:
    """Under `available` nobody would be on a standby: two read from one only, of which one remains a standby."""
    leader = (await observe(inventory)).available
    standbys = [host.master for host in inventory.masters if leader is None or host != leader.host][-2:]
    pinned = dict(zip(ours, standbys, strict=False)) if policy == "available" else {}
    for client in ours:
        client.start_reading([pinned[client]] if client in pinned else ())


async def _post_and_kill(
    inventory: Inventory, remotes: Remotes, ours: Sequence[OurClient], target: Target, result: Result
) -> None:
    """A quarter of all posts; in their midst the kill, which is over when all is well again."""
    fault, acknowledged = Kill(target), asyncio.Queue[None]()
    view = await observe(inventory)
    victim = _busiest_standby(view) if target is Target.STANDBY else fault.choose(view, 0.99)  # the last slave
    streams = {m.host.name: m.open_streams for m in view.masters}[victim.host]
    posting = asyncio.gather(*(client.post(POSTS // 4 // CLIENTS, acknowledged) for client in ours))
    for _ in range(_BEFORE_THE_KILL):
        await acknowledged.get()
    await asyncio.to_thread(fault.inject, remotes, victim)
    result.killed.append(Killed(target, victim.host, victim.before.pid, streams))
    await posting
    await _recovered(inventory, fault, victim)


def _busiest_standby(view: ClusterView) -> Victim:
    """Where our clients are."""
    standbys = [master for master in view.masters if master is not view.available]
    busiest = max(standbys, key=lambda master: master.open_streams)
    return Victim(busiest.host.name, Process(busiest.pid, busiest.incarnation, busiest.term))


async def _recovered(inventory: Inventory, fault: Fault, victim: Victim) -> None:
    async with asyncio.timeout(_RECOVER_SECONDS):
        while fault.missing(await observe(inventory), victim):  # noqa: ASYNC110  (no event tells from here)
            await asyncio.sleep(0.25)


def _seen(post: TimelinePost) -> Seen:
    return post.position, post.author, post.text


def main(inventory: Path, policy: str, stubs: str, output: Path) -> None:
    result, hosts = Result(), read_inventory(inventory)
    with Remotes(hosts) as remotes:
        asyncio.run(run(hosts, policy, stubs, remotes, result))
    output.write_text(json.dumps(dataclasses.asdict(result)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]))
