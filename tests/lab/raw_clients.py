"""Clients of the course's interface that know nothing but its proto file and port 3010 of some hosts.

`python -m tests.lab.raw_clients STUBS ADDRESSES USERS`, lists with commas; STUBS: the folder with what protoc has made
of the proto file. They do what the course's clients do: log in, follow, stay in timeline mode, and enter again through
the next address when the stream ends. Orders come on standard input, a line each, and are answered with "ready"; the
last one with all that they saw, as one line of JSON. Nothing of the service is imported here.

    follow A,B,...   every user follows these, and enters its timeline
    until TEXT       once each has seen this post: leave, enter once more, and end with the backlog
"""

import asyncio
import dataclasses
import importlib
import itertools
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType

import grpc

BACKLOG_POSTS = 20
# Users of one process would share their connections otherwise, and one would wait for the other's reconnect.
OPTIONS = (("grpc.use_local_subchannel_pool", 1),)
_CALL_SECONDS = 60.0
_SEEN_SECONDS = 120.0
_AGAIN_SECONDS = 0.05  # how fast a person enters again


@dataclass
class Entry:
    """One time in timeline mode, and what was seen in it, in the order of arrival."""

    address: str
    login: str = ""  # the service's answer
    asked_ns: int = 0  # of the monotonic clock, just before the timeline was asked for
    posts: list[tuple[str, str]] = field(default_factory=list)  # (author, text)
    end: str = ""  # why it ended


@dataclass
class RawClient:
    """One user."""

    user: str
    addresses: Iterator[str]
    messages: ModuleType
    services: ModuleType
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.entered = asyncio.Event()
        self._moved = asyncio.Event()
        self._staying: asyncio.Task[None] | None = None

    async def log_in(self) -> None:
        """Through any address that answers."""
        await self._call("Login")

    async def follow(self, user: str) -> None:
        reply = await self._call("Follow", user)
        if reply != "Follow Successful":
            raise RuntimeError(f"{self.user} wants to follow {user}, and is told {reply!r}")

    def stay(self) -> None:
        """In timeline mode until `leave`."""
        self._staying = asyncio.create_task(self._enter_again_and_again())

    async def has_seen(self, text: str) -> None:
        """Raises TimeoutError, and what has ended the staying."""
        assert self._staying is not None
        async with asyncio.timeout(_SEEN_SECONDS):
            while not any(seen == text for _, seen in self.entries[-1].posts):
                self._moved.clear()
                moved = asyncio.create_task(self._moved.wait())
                await asyncio.wait((moved, self._staying), return_when=asyncio.FIRST_COMPLETED)
                moved.cancel()
                if self._staying.done():
                    await self._staying

    async def leave(self) -> None:
        assert self._staying is not None
        self._staying.cancel()
        await asyncio.gather(self._staying, return_exceptions=True)

    async def enter_for_the_backlog(self) -> None:
        """Raises TimeoutError unless it is complete in time."""
        async with asyncio.timeout(_SEEN_SECONDS):
            while not await self._enter(posts=BACKLOG_POSTS):  # noqa: ASYNC110  (a pause, not a wait)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _enter_again_and_again(self) -> None:
        for number in itertools.count(1):
            await self._enter(says=f"{self.user} comes in, {number}\n")
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _enter(self, *, says: str = "", posts: int = 0) -> bool:
        """Until the stream ends, or so many posts were seen; whether they were."""
        entry = Entry(next(self.addresses))
        self.entries.append(entry)
        async with grpc.aio.insecure_channel(entry.address, OPTIONS) as channel:
            stub = self.services.SNSServiceStub(channel)
            try:
                request = self.messages.Request(username=self.user)
                entry.login = (await stub.Login(request, timeout=_CALL_SECONDS)).msg
                entry.asked_ns = time.monotonic_ns()
                timeline = stub.Timeline()
                await timeline.write(self.messages.Message(username=self.user, msg="Set Stream"))
                if says:
                    await timeline.write(self.messages.Message(username=self.user, msg=says))
                await timeline.initial_metadata()
                self.entered.set()
                async for message in timeline:
                    entry.posts.append((message.username, message.msg))
                    self._moved.set()
                    if len(entry.posts) == posts:
                        return True
                entry.end = "it ended without an error"
            except grpc.aio.AioRpcError as e:
                entry.end = f"{e.code().name}: {e.details()}"
        return False

    async def _call(self, method: str, *arguments: str) -> str:
        async with asyncio.timeout(_SEEN_SECONDS):
            while True:
                async with grpc.aio.insecure_channel(next(self.addresses), OPTIONS) as channel:
                    call = getattr(self.services.SNSServiceStub(channel), method)
                    request = self.messages.Request(username=self.user, arguments=arguments)
                    try:
                        return str((await call(request, timeout=_CALL_SECONDS)).msg)
                    except grpc.aio.AioRpcError:
                        await asyncio.sleep(_AGAIN_SECONDS)


async def main(stubs: str, addresses: Sequence[str], users: Sequence[str]) -> None:
    sys.path.insert(0, stubs)
    messages, services = (importlib.import_module(f"sns_{kind}") for kind in ("pb2", "pb2_grpc"))
    turns = [(*addresses[n:], *addresses[:n]) for n in range(len(addresses))]
    clients = [
        RawClient(user, itertools.cycle(turns[n % len(turns)]), messages, services) for n, user in enumerate(users)
    ]
    await asyncio.gather(*(client.log_in() for client in clients))
    print("ready", flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode():
        word, _, rest = line.strip().partition(" ")
        if word == "follow":
            for followed in rest.split(","):
                await asyncio.gather(*(client.follow(followed) for client in clients if client.user != followed))
            for client in clients:
                client.stay()
            await asyncio.gather(*(client.entered.wait() for client in clients))
            print("ready", flush=True)
        elif word == "until":
            await asyncio.gather(*(client.has_seen(rest) for client in clients))
            await asyncio.gather(*(client.leave() for client in clients))
            await asyncio.gather(*(client.enter_for_the_backlog() for client in clients))
            imported = [name for name in sys.modules if name.partition(".")[0] == "tinysns"]
            seen = {client.user: [dataclasses.asdict(entry) for entry in client.entries] for client in clients}
            print(json.dumps({"imported": imported, "seen": seen}), flush=True)
            return


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2].split(","), sys.argv[3].split(",")))
