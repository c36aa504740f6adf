"""Timelines of course clients at the proxy: only the client ends them, and nothing is lost, doubled or swapped."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.client.double import Cluster
from tests.routing.proxying import Router, until
from tinysns.domain.names import MAX_TEXT_BYTES
from tinysns.routing import proxy
from tinysns.routing.proxy_posts import MAX_HELD_BYTES, MAX_HELD_POSTS
from tinysns.rpc.errors import info
from tinysns.wire.csce438 import sns_pb2, sns_pb2_grpc
from tinysns.wire.hw2 import messenger_pb2, messenger_pb2_grpc
from tinysns.wire.v1 import sns_pb2 as own_pb2

pytestmark = pytest.mark.timeout(40)

KIB = 1024


class Timeline:
    """A client of csce438 in timeline mode."""

    def __init__(self, router: Router, user: str, **options: Any) -> None:
        self.user = user
        self.call = sns_pb2_grpc.SNSServiceStub(router.channel).Timeline(**options)

    async def __aenter__(self) -> "Timeline":
        await self.say("Set Stream")
        await self.call.initial_metadata()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.call.cancel()

    async def say(self, *texts: str) -> None:
        for text in texts:
            await self.call.write(sns_pb2.Message(username=self.user, msg=text))

    async def read(self, count: int) -> list[str]:
        return [(await asyncio.wait_for(self.call.read(), 20)).msg for _ in range(count)]

    async def failure(self) -> grpc.aio.AioRpcError:
        try:
            async with asyncio.timeout(20):
                async for _ in self.call:
                    pass
        except grpc.aio.AioRpcError as e:
            return e
        raise AssertionError("the stream has ended well")


class World:
    """Three masters on one model, a router in front of them, and `reader`, who follows `ann`."""

    def __init__(self, cluster: Cluster, router: Router) -> None:
        self.cluster, self.router = cluster, router
        self._session = 0
        self.write(login=own_pb2.Login(user="ann"))
        self.write(login=own_pb2.Login(user="reader"))
        self.write(follow=own_pb2.Follow(user="reader", target="ann"))

    def write(self, **write: Any) -> None:
        """By somebody else."""
        self._session += 1
        self.cluster.model.apply(own_pb2.Command(session=self._session, number=1, **write))

    def post(self, *texts: str) -> None:
        self.write(post=own_pb2.Post(author="ann", texts=texts))

    def timeline(self, user: str, **options: Any) -> Timeline:
        return Timeline(self.router, user, **options)

    @property
    def posted(self) -> list[str]:
        return [post.text for post in self.cluster.model.posts]

    async def kill_all(self) -> None:
        for master in self.cluster.masters:
            await master.kill()

    async def start_all(self) -> None:
        for master in self.cluster.masters:
            await master.start()

    @contextlib.asynccontextmanager
    async def kills(self) -> AsyncIterator[None]:
        """One master after the other, each back before the next one dies."""

        async def kill() -> None:
            while True:
                for master in self.cluster.masters:
                    await asyncio.sleep(0.05)
                    await master.kill()
                    await asyncio.sleep(0.05)
                    await master.start()

        killing = asyncio.create_task(kill())
        try:
            yield
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
            for master in self.cluster.masters:
                if not master.alive:
                    await master.start()


@contextlib.asynccontextmanager
async def running(policy: str = "available", seed: int = 0) -> AsyncIterator[World]:
    router = Router(policy)
    async with Cluster(seed) as cluster:
        await router.start(cluster.masters)
        try:
            yield World(cluster, router)
        finally:
            await router.stop()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as world:
        yield world


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "_TRY_SECONDS", 0.1)


async def test_a_backlog_is_the_newest_20_of_those_followed_now_newest_first_and_live_posts_follow(
    world: World,
) -> None:
    world.write(login=own_pb2.Login(user="left"))
    world.write(follow=own_pb2.Follow(user="reader", target="left"))
    world.post("p0\n")
    world.write(post=own_pb2.Post(author="left", texts=["not followed any more\n"]))
    world.write(unfollow=own_pb2.Unfollow(user="reader", target="left"))
    world.post(*(f"p{i}\n" for i in range(1, 20)))
    async with world.timeline("reader") as reader:
        world.post("live\n", "and\n")
        assert await reader.read(22) == [*(f"p{i}\n" for i in range(19, -1, -1)), "live\n", "and\n"]


async def test_both_interfaces_have_their_messages(world: World) -> None:
    world.post("line\n")
    call = messenger_pb2_grpc.MessengerServerStub(world.router.channel).Chat()
    await call.write(messenger_pb2.Message(username="reader", msg="Set Stream"))
    message = await call.read()
    assert (message.username, message.msg, message.timestamp.ToNanoseconds()) == ("ann", "line", 1)
    await call.write(messenger_pb2.Message(username="reader", msg=""))
    await until(lambda: world.posted == ["line\n", "\n"])
    call.cancel()


@pytest.mark.parametrize("seed", range(3))
async def test_posts_take_effect_once_and_in_order_whatever_masters_and_answers_are_lost(
    seed: int, impatient: None
) -> None:
    async with running(seed=seed) as world, world.timeline("ann") as ann, world.timeline("reader") as reader:
        world.cluster.unruly = True
        world.cluster.faults = {"lose the command": 0.02, "lose the answer": 0.05, "refuse": 0.05, "be late": 0.05}
        texts = [f"{n}\n" for n in range(300)]
        reading = asyncio.create_task(reader.read(len(texts)))
        async with world.kills():
            for text in texts:
                await ann.say(text)
                await asyncio.sleep(0.002)
        assert await reading == texts
        assert world.posted == texts


async def test_a_timeline_goes_on_behind_its_backlog_when_nothing_was_read_since(world: World) -> None:
    world.write(login=own_pb2.Login(user="left"))
    world.write(follow=own_pb2.Follow(user="reader", target="left"))
    world.post("old\n")
    world.write(post=own_pb2.Post(author="left", texts=["of one who was followed\n"]))
    world.write(unfollow=own_pb2.Unfollow(user="reader", target="left"))
    async with world.timeline("reader") as reader:
        assert await reader.read(1) == ["old\n"]
        await world.cluster.masters[0].kill()
        world.post("new\n")
        assert await reader.read(1) == ["new\n"]


async def test_an_opening_waits_for_a_master_and_so_do_posts_behind_it(world: World) -> None:
    await world.kill_all()
    ann = world.timeline("ann")
    await ann.say("Set Stream", "one\n", "two\n")
    await ann.call.done_writing()
    await asyncio.sleep(0.3)
    assert not ann.call.done()
    await world.cluster.masters[1].start()
    await until(lambda: world.posted == ["one\n", "two\n"])
    world.write(follow=own_pb2.Follow(user="ann", target="reader"))
    world.write(post=own_pb2.Post(author="reader", texts=["an answer\n"]))
    assert await ann.read(1) == ["an answer\n"], "who has ended its side reads on"
    ann.call.cancel()


async def test_a_stream_without_a_first_message_is_refused_with_words(world: World) -> None:
    ann = world.timeline("ann")
    await ann.call.done_writing()
    error = await ann.failure()
    assert (error.code(), info(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ("NO_FIRST_MESSAGE", True))
    assert "username of its reader" in error.details()


@pytest.mark.parametrize("text", ["Set Stream\n", "INIT", ""])
async def test_the_first_message_opens_whatever_it_says_and_is_no_post(world: World, text: str) -> None:
    ann = world.timeline("ann")
    await ann.say(text, "a post\n")
    await until(lambda: world.posted == ["a post\n"])
    ann.call.cancel()


@pytest.mark.parametrize("name", ["nobody", "no name!"])
async def test_an_unknown_user_is_refused_with_words_and_posts_nothing(world: World, name: str) -> None:
    nobody = world.timeline(name)
    await nobody.say("Set Stream", "a post\n")
    error = await nobody.failure()
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert repr(name) in error.details()
    assert world.posted == []


@pytest.mark.parametrize(
    ("user", "text", "word"),
    [("reader", "as somebody else\n", "'reader'"), ("ann", "", "1 to"), ("ann", "x" * (MAX_TEXT_BYTES + 1), "1 to")],
)
async def test_before_a_bad_post_ends_the_stream_with_words_all_before_it_is_stored(
    world: World, user: str, text: str, word: str
) -> None:
    async with world.timeline("ann") as ann:
        await world.kill_all()
        await ann.say(*(f"{n}\n" for n in range(50)))
        await ann.call.write(sns_pb2.Message(username=user, msg=text))
        await ann.say("behind it\n")
        await asyncio.sleep(0.1)
        await world.start_all()
        error = await ann.failure()
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert word in error.details()
    assert world.posted == [f"{n}\n" for n in range(50)]


@pytest.mark.parametrize("size", [10, 60 * KIB])
async def test_what_is_held_is_bounded_and_a_client_then_waits(world: World, size: int) -> None:
    async with world.timeline("ann") as ann:
        await world.kill_all()
        texts = [f"{n} ".ljust(size, "x") for n in range(6000 if size < KIB else 100)]
        typing = asyncio.create_task(ann.say(*texts))
        (stream,) = world.router.proxy._streams._open
        held = -1
        while held < stream._posts.held:
            held = stream._posts.held
            await asyncio.sleep(0.3)
        assert held == (MAX_HELD_POSTS if size < KIB else MAX_HELD_BYTES // size)
        assert not typing.done()
        await world.start_all()
        await typing
        await until(lambda: len(world.cluster.model.posts) == len(texts), 20.0)
        assert world.posted == texts


async def test_a_client_that_does_not_read_stops_its_master_and_nobody_else(world: World) -> None:
    async with world.timeline("reader") as slow, world.timeline("reader") as other:
        texts = [f"{n}".ljust(32 * KIB, "x") for n in range(400)]
        for text in texts:
            world.post(text)
        reading = asyncio.create_task(other.read(len(texts)))
        assert await reading == texts
        master = world.cluster.masters[0]
        sent = -1
        while sent < master.sent:
            sent = master.sent
            await asyncio.sleep(0.2)
        assert sent < 2 * len(texts), "some windows are on the way to the slow one, not all"
        assert await slow.read(len(texts)) == texts


async def test_a_client_that_goes_away_leaves_nothing_behind_but_its_posts(world: World, impatient: None) -> None:
    async with world.timeline("ann") as ann:
        await world.kill_all()
        await ann.say("one\n", "two\n")
        (stream,) = world.router.proxy._streams._open
        await until(lambda: stream._posts.held == 2)
    await until(lambda: not world.router.proxy._streams._open)
    await world.start_all()
    await until(lambda: world.posted == ["one\n", "two\n"])
    await until(lambda: not world.router.proxy._streams._left)
    assert not any(link.timelines or link.calls for link in world.router.proxy._masters._links.values())


async def test_a_stream_that_is_not_used_costs_no_stream_of_writes(impatient: None) -> None:
    async with running() as world, world.timeline("ann") as ann:
        master = world.cluster.masters[0]
        assert master.streams == 0
        for n in range(3):
            await ann.say(f"{n}\n", f"{n}, again\n")
            await until(lambda n=n: len(world.posted) == 2 * n + 2)
            assert master.streams == n + 1
            await until(lambda: not any(link.calls - self_calls(world) for link in links(world)))
        assert len(world.cluster.model.sessions) == 3 + 1, "the session stays the same"


async def test_a_session_that_is_forgotten_loses_no_post(world: World, impatient: None) -> None:
    async with world.timeline("ann") as ann:
        for n in range(6):
            world.cluster.forgotten.update(world.cluster.model.sessions)
            if n % 2:
                world.cluster.faults = {"refuse": 1.0}  # the second try is told that the session is forgotten
            await ann.say(f"{n}\n")
            await asyncio.sleep(0.05)
            world.cluster.faults = {}
            await until(lambda n=n: len(world.posted) == n + 1)
    assert world.posted == [f"{n}\n" for n in range(6)]


async def test_a_stopping_router_stores_what_it_has_read_and_lets_its_clients_go_with_words(world: World) -> None:
    async with world.timeline("ann") as ann, world.timeline("reader") as reader:
        await world.kill_all()
        await ann.say("one\n", "two\n")
        await until(lambda: any(stream._posts.held == 2 for stream in world.router.proxy._streams._open))
        closing = asyncio.create_task(world.router.proxy.close())
        await world.start_all()
        await closing
        assert world.posted == ["one\n", "two\n"]
        for timeline in (ann, reader):
            error = await timeline.failure()
            assert (error.code(), info(error)) == (grpc.StatusCode.UNAVAILABLE, ("STOPPING", False))
            assert "this router is stopping" in error.details()


async def test_the_deadline_of_a_stream_holds(world: World) -> None:
    async with world.timeline("reader", timeout=0.5) as reader:
        assert (await reader.failure()).code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_under_balanced_each_stream_goes_where_the_load_is_least() -> None:
    async with running("balanced") as world:
        for loaded in range(3):
            for i, master in enumerate(world.cluster.masters):
                world.router.say(master, open_streams=0 if i == loaded else 5)
            before = world.cluster.masters[loaded].timelines
            async with world.timeline("reader"):
                assert world.cluster.masters[loaded].timelines == before + 1


def links(world: World) -> list[Any]:
    return list(world.router.proxy._masters._links.values())


def self_calls(world: World) -> set[Any]:
    """The timelines, which stay."""
    return {call for link in links(world) for call in link.calls if isinstance(call, grpc.aio.UnaryStreamCall)}
