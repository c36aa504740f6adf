"""Masters without consensus: one log in memory, real state machines, readers, hubs and gRPC servers behind it.

The log stands in for raft only, which has its own tests. Members apply it late and in random pieces (seeded), so that
SQLite is ahead of what the hub has heard, and one member ahead of another, as in life.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Self

import grpc

from tinysns.course.texts import SPRING2019, Dialect
from tinysns.domain.writes import Answer, Command
from tinysns.replication.interface import Listener, NotServing
from tinysns.runtime.tasks import Tasks
from tinysns.sns.fanout import Hub
from tinysns.sns.services import add_services
from tinysns.storage.entries import encode_command, stamp
from tinysns.storage.reader import Reader
from tinysns.storage.state import StateMachine
from tinysns.wire.csce438 import sns_pb2 as course_pb2
from tinysns.wire.csce438 import sns_pb2_grpc as course_grpc
from tinysns.wire.hw2 import messenger_pb2, messenger_pb2_grpc
from tinysns.wire.v1 import sns_pb2, sns_pb2_grpc

CLUSTER_ID = "test"
START_NS = 1_700_000_000_000_000_000


async def until(condition: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    """There is no event to wait for in the middle of somebody else's work: look often, with a deadline."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.002)


class Log:
    """The agreed log: packs what was submitted into entries of random size, in order."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._waiting: list[bytes] = []
        self._scheduled = False
        self.entries: list[bytes] = []
        self.members: list[LocalSubmitter] = []

    @property
    def last_index(self) -> int:
        return len(self.entries)

    def append(self, command: bytes) -> None:
        self._waiting.append(command)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._pack)

    def _pack(self) -> None:
        self._scheduled = False
        while self._waiting:
            size = self._rng.randint(1, 8)
            pieces, self._waiting = self._waiting[:size], self._waiting[size:]
            self.entries.append(b"".join((*pieces, stamp(START_NS + 1000 * len(self.entries)))))
        for member in self.members:
            member.wake()


class LocalSubmitter:
    """Satisfies replication.interface.Submitter: applies the log to the real state machine of one member."""

    def __init__(self, log: Log, state: StateMachine, rng: random.Random) -> None:
        self._log = log
        self._state = state
        self._rng = rng
        self._listeners: list[Listener] = []
        self._waiters: dict[tuple[int, int], list[asyncio.Future[Answer]]] = {}
        self._barriers: list[tuple[int, asyncio.Future[None]]] = []
        self._moved = asyncio.Event()
        self._changed = asyncio.Event()
        self.applied_index = 0
        self.refusal = ""
        self.stopped = False  # applies nothing meanwhile
        self.applying = asyncio.Lock()
        log.members.append(self)

    async def submit(self, command: Command) -> Answer:
        self._refuse()
        waiter = asyncio.get_running_loop().create_future()
        name = (command.session, command.number)
        if name not in self._waiters:
            self._log.append(encode_command(command))
        self._waiters.setdefault(name, []).append(waiter)
        return await waiter

    async def read_barrier(self) -> None:
        self._refuse()
        if self.stopped or self.applied_index < self._log.last_index:
            barrier = asyncio.get_running_loop().create_future()
            self._barriers.append((self._log.last_index, barrier))
            await barrier

    def add_listener(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def wake(self) -> None:
        self._moved.set()

    @property
    def waits(self) -> int:
        """How many commands somebody waits for."""
        return len(self._waiters)

    def stop_applying(self) -> None:
        self.stopped = True

    def go_on(self) -> None:
        self.stopped = False
        self.wake()

    def refuse(self, sentence: str) -> None:
        """Stops serving; an empty sentence: serves again."""
        self.refusal = sentence
        self._changed.set()
        self._changed = asyncio.Event()
        if sentence:
            waiters = [w for ws in self._waiters.values() for w in ws] + [b for _, b in self._barriers]
            self._waiters.clear()
            self._barriers.clear()
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(NotServing(sentence))
            for listener in self._listeners:
                listener.refusing(sentence)

    async def serving(self, *, writes: bool = False) -> None:
        while self.refusal:
            await self._changed.wait()

    async def install(self, source: StateMachine, copy: Path) -> None:
        """Replaces the state by a copy of another member's."""
        async with self.applying:
            index = await asyncio.to_thread(source.copy_to, copy)
            staging = self._state.stage()
            staging.write(await asyncio.to_thread(copy.read_bytes))
            await asyncio.to_thread(self._state.install, staging.finish(index))
            self.applied_index = index
            for listener in self._listeners:
                listener.installed(index)
        self.wake()

    async def run(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            while not self.stopped and self.applied_index < self._log.last_index:
                async with self.applying:
                    await self._apply_some()
            self._pass_barriers()

    async def _apply_some(self) -> None:
        first = self.applied_index
        last = min(self._log.last_index, first + self._rng.randint(1, 6))
        entries = [(i + 1, self._log.entries[i]) for i in range(first, last)]
        effects = await asyncio.to_thread(self._state.apply, entries, last)
        for _ in range(self._rng.randrange(5)):
            await asyncio.sleep(0)  # SQLite is ahead of the hub meanwhile
        for listener in self._listeners:
            listener.applied(effects, last)
        self.applied_index = last
        for effect in effects:
            for waiter in self._waiters.pop((effect.command.session, effect.command.number), ()):
                if not waiter.done():
                    waiter.set_result(effect.answer)
        self._pass_barriers()

    def _pass_barriers(self) -> None:
        if self.stopped:
            return
        for index, barrier in self._barriers:
            if index <= self.applied_index and not barrier.done():
                barrier.set_result(None)
        self._barriers = [b for b in self._barriers if not b[1].done()]

    def _refuse(self) -> None:
        if self.refusal:
            raise NotServing(self.refusal)


class Member:
    """A master as far as the service goes, and stubs that are connected to it."""

    def __init__(self, log: Log, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.state = StateMachine.create(folder, CLUSTER_ID)
        self.reader = Reader(self.state)
        self.submitter = LocalSubmitter(log, self.state, self.rng)
        self.hub = Hub()
        self.crashes: list[BaseException] = []
        self.tasks = Tasks(self.crashes.append)

    async def start(self, hold_seconds: float, dialect: Dialect, single_login: bool) -> None:
        server = self.server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        self.services = add_services(
            server,
            self.submitter,
            self.reader,
            self.hub,
            self.tasks,
            lambda: self.rng.getrandbits(64) | 1,
            hold_seconds=hold_seconds,
            dialect=dialect,
            single_login=single_login,
        )
        self.counters = self.services.counters
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self.tasks.start("apply", self.submitter.run())
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=(("grpc.use_local_subchannel_pool", 1),))
        self.course = course_grpc.SNSServiceStub(self.channel)
        self.messenger = messenger_pb2_grpc.MessengerServerStub(self.channel)
        self.sns = sns_pb2_grpc.SnsStub(self.channel)

    async def stop(self) -> None:
        await self.channel.close()
        await self.server.stop(0)
        self.submitter.stop_applying()
        async with self.submitter.applying:  # a thread that writes cannot be cancelled, and the state is closed next
            await self.tasks.stop()
        self.services.close()
        self.reader.close()
        self.state.close()
        assert not self.crashes

    # -- course clients ------------------------------------------------------------------------------------------------

    async def login(self, *users: str) -> None:
        for user in users:
            await self.course.Login(course_pb2.Request(username=user), timeout=10)

    async def follow(self, user: str, *targets: str) -> None:
        for target in targets:
            await self.course.Follow(course_pb2.Request(username=user, arguments=[target]), timeout=10)

    async def unfollow(self, user: str, *targets: str) -> None:
        for target in targets:
            await self.course.UnFollow(course_pb2.Request(username=user, arguments=[target]), timeout=10)

    async def post(self, user: str, *texts: str) -> None:
        """Returns when all are stored, which a client of the course cannot know: by our own interface."""
        writer = Writer(self, self.rng.getrandbits(64) | 1)
        for text in texts:
            await writer.post(user, [text])
        await writer.answers(len(texts))
        await writer.end()


@contextlib.asynccontextmanager
async def members(
    folder: Path,
    count: int = 1,
    seed: int = 0,
    hold_seconds: float = 10.0,
    dialect: Dialect = SPRING2019,
    single_login: bool = False,
) -> AsyncIterator[list[Member]]:
    """Running members with one log."""
    log = Log(random.Random(seed))
    made = [Member(log, folder / f"member{i}", seed + i + 1) for i in range(count)]
    started: list[Member] = []
    try:
        for member in made:
            await member.start(hold_seconds, dialect, single_login)
            started.append(member)
        yield made
    finally:
        for member in started:
            await member.stop()


class CourseTimeline:
    """A client of csce438 in timeline mode."""

    _message: type[course_pb2.Message | messenger_pb2.Message] = course_pb2.Message

    def __init__(self, member: Member, user: str, timeout: float | None = 30) -> None:
        self.user = user
        self.call = self._open(member)(timeout=timeout)

    async def __aenter__(self) -> Self:
        await self.say("Set Stream")
        await self.call.initial_metadata()  # comes once the timeline is open
        return self

    async def __aexit__(self, *_: object) -> None:
        self.call.cancel()

    async def say(self, text: str, user: str | None = None) -> None:
        await self.call.write(self._message(username=self.user if user is None else user, msg=text))

    async def read(self, count: int) -> list[str]:
        return [(await asyncio.wait_for(self.call.read(), 10)).msg for _ in range(count)]

    def _open(self, member: Member) -> grpc.aio.StreamStreamMultiCallable:
        return member.course.Timeline


class Chat(CourseTimeline):
    """A client of hw2 in chat mode."""

    _message = messenger_pb2.Message

    def _open(self, member: Member) -> grpc.aio.StreamStreamMultiCallable:
        return member.messenger.Chat


class NativeTimeline:
    """A reader of tinysns.v1 from a cursor."""

    def __init__(
        self, member: Member, user: str, after_position: int = 0, heartbeat_ms: int = 0, **request: object
    ) -> None:
        self.call = member.sns.Timeline(
            sns_pb2.TimelineRequest(user=user, after_position=after_position, heartbeat_ms=heartbeat_ms, **request),
            timeout=60,
        )
        self.posts: list[sns_pb2.TimelinePost] = []

    async def __aenter__(self) -> "NativeTimeline":
        await self.call.initial_metadata()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.call.cancel()

    async def read(self, count: int) -> list[str]:
        """Waits until so many posts are there in all; returns their texts."""
        while len(self.posts) < count:
            message = await asyncio.wait_for(self.call.read(), 10)
            assert message is not grpc.aio.EOF
            self.posts += message.posts
        return [post.text for post in self.posts]

    async def rest(self) -> list[str]:
        """Waits for the end of the stream; returns all texts."""
        while (message := await asyncio.wait_for(self.call.read(), 10)) is not grpc.aio.EOF:
            self.posts += message.posts
        return [post.text for post in self.posts]

    @property
    def cursor(self) -> int:
        return self.posts[-1].position


class Writer:
    """A session of tinysns.v1 on one Write stream."""

    def __init__(self, member: Member, session: int, last: int = 0) -> None:
        self.session = session
        self.number = last
        self.call = member.sns.Write(timeout=60)

    def command(self, **write: object) -> sns_pb2.Command:
        self.number += 1
        return sns_pb2.Command(session=self.session, number=self.number, **write)

    async def send(self, command: sns_pb2.Command) -> None:
        await self.call.write(command)

    async def post(self, author: str, texts: Sequence[str]) -> None:
        await self.send(self.command(post=sns_pb2.Post(author=author, texts=texts)))

    async def answers(self, count: int) -> list[sns_pb2.Answer]:
        found: list[sns_pb2.Answer] = []
        while len(found) < count:
            message = await asyncio.wait_for(self.call.read(), 10)
            assert message is not grpc.aio.EOF
            found += message.answers
        assert len(found) == count
        return found

    async def end(self) -> None:
        """Ends the stream in order."""
        await self.call.done_writing()
        assert await asyncio.wait_for(self.call.read(), 10) is grpc.aio.EOF


async def failure(call: "grpc.aio.Call") -> grpc.aio.AioRpcError:
    """The error with which a call ends."""
    try:
        if hasattr(call, "read"):
            while await asyncio.wait_for(call.read(), 10) is not grpc.aio.EOF:
                pass
        else:
            await asyncio.wait_for(call, 10)
    except grpc.aio.AioRpcError as e:
        return e
    raise AssertionError("the call did not fail")
