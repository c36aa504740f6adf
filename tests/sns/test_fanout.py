"""The hub and a timeline without gRPC, where SQLite is ahead of what the hub has heard by exactly what a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio

from tests.sns.support import CLUSTER_ID, until
from tests.storage.making import entry
from tinysns.domain.writes import Command, Effect, Follow, Login, Post, Unfollow, Write
from tinysns.sns import fanout
from tinysns.sns.counters import Counters
from tinysns.sns.fanout import Hub
from tinysns.sns.reads import Reads
from tinysns.sns.timelines import Timeline, Timelines
from tinysns.storage.reader import Page, Reader
from tinysns.storage.state import StateMachine

T = TypeVar("T")


class NoWait:
    """A Submitter for readers: this member is always up to date."""

    async def read_barrier(self) -> None:
        return


class GatedReads(Reads):
    """Reads that can be kept from coming back, with what they saw."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader, NoWait(), Counters())  # type: ignore[arg-type]
        self.open = asyncio.Event()
        self.open.set()
        self.held_back = 0
        self.under_way = 0
        self.stale: list[Page] = []  # are answered first

    async def following(self, user: str) -> tuple[int, frozenset[str]]:
        return await self._gate(super().following(user))

    async def timeline(self, user: str, after_position: int, limit: int) -> Page:
        if self.stale:
            return self.stale.pop(0)
        return await self._gate(super().timeline(user, after_position, limit))

    async def _gate(self, read: Awaitable[T]) -> T:
        self.under_way += 1
        view = await read
        self.held_back += 1
        await self.open.wait()
        self.held_back -= 1
        self.under_way -= 1
        return view


class World:
    """One member; a write is an entry of its own."""

    def __init__(self, folder: Path) -> None:
        self.state = StateMachine.create(folder, CLUSTER_ID)
        self.reader = Reader(self.state)
        self.hub = Hub()
        self.reads = GatedReads(self.reader)
        self.timelines = Timelines(self.hub, self.reads, Counters())
        self.number = 0
        self.unheard: list[Effect] = []

    def apply(self, *writes: Write) -> None:
        """Commits; the hub does not hear of it yet."""
        for write in writes:
            self.number += 1
            self.apply_command(Command(1, self.number, write))

    def apply_command(self, command: Command) -> None:
        index = self.state.applied_index + 1
        self.unheard += self.state.apply([entry(index, command, time_unix_ns=index)], index)

    def hear(self) -> None:
        unheard, self.unheard = self.unheard, []
        self.hub.applied(unheard, self.state.applied_index)

    def do(self, *writes: Write) -> None:
        self.apply(*writes)
        self.hear()

    def close(self) -> None:
        self.reads.close()
        self.reader.close()
        self.state.close()


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path / "state")
    world.do(*map(Login, ("ann", "bob", "reader")), Follow("reader", "ann"))
    yield world
    world.close()


class Shown:
    """What a timeline shows, from `start` on."""

    def __init__(self, timeline: Timeline) -> None:
        self.texts: list[str] = []
        self._timeline = timeline

    def start(self) -> None:
        self._task = asyncio.create_task(self._read(self._timeline))

    async def _read(self, timeline: Timeline) -> None:
        await timeline.open()
        async for group in timeline.groups():
            self.texts += [post.text for batch in group for post in batch.posts]

    async def ends_with(self, text: str) -> list[str]:
        await until(lambda: self._task.done() or text in self.texts, f"{text} is shown")
        assert not self._task.done(), self._task.exception()
        return self.texts

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest.fixture
def timeline(world: World) -> Iterator[Timeline]:
    with world.timelines.timeline("reader") as timeline:
        yield timeline


@pytest_asyncio.fixture
async def shown(timeline: Timeline) -> AsyncIterator[Shown]:
    shown = Shown(timeline)
    yield shown
    await shown.stop()


async def live(world: World) -> None:
    """Returns when the only timeline is live."""
    (subscription,) = world.hub._by_user["reader"]
    await until(lambda: subscription.collecting and not world.reads.under_way, "it reads from its queue")


async def test_a_post_from_before_the_follow_is_not_shown_though_the_view_has_the_follow(
    world: World, shown: Shown
) -> None:
    world.apply(Post("bob", ("before",)), Follow("reader", "bob"))
    shown.start()
    await live(world)
    world.hear()
    world.do(Post("bob", ("end",)))
    assert await shown.ends_with("end") == ["end"]


async def test_a_post_from_before_the_unfollow_is_shown_once_though_the_view_has_the_unfollow(
    world: World, shown: Shown
) -> None:
    world.apply(Post("ann", ("before",)), Unfollow("reader", "ann"), Post("ann", ("after",)), Follow("reader", "bob"))
    shown.start()
    await shown.ends_with("before")
    world.hear()
    world.do(Post("ann", ("not followed",)), Post("bob", ("end",)))
    assert await shown.ends_with("end") == ["before", "end"]


async def test_changes_that_are_heard_while_the_view_is_on_its_way_count(world: World, shown: Shown) -> None:
    world.reads.open.clear()
    shown.start()
    await until(lambda: world.reads.held_back, "the followed are being read")
    world.do(Follow("reader", "bob"), Unfollow("reader", "ann"))
    world.reads.open.set()
    await live(world)
    world.do(Post("ann", ("no",)), Post("bob", ("yes",)))
    assert await shown.ends_with("yes") == ["yes"]


async def test_a_view_from_before_the_state_was_replaced_does_not_count(world: World, shown: Shown) -> None:
    world.reads.open.clear()
    shown.start()
    await until(lambda: world.reads.held_back, "the followed are being read")
    world.apply(Follow("reader", "bob"), Unfollow("reader", "ann"), Post("bob", ("in between",)))
    world.unheard.clear()
    world.hub.installed(world.state.applied_index)
    world.reads.open.set()
    await live(world)
    world.do(Post("ann", ("no",)), Post("bob", ("yes",)))
    assert await shown.ends_with("yes") == ["in between", "yes"]


async def test_a_page_that_is_older_than_the_queue_is_not_taken_for_the_end(world: World, shown: Shown) -> None:
    world.do(Post("ann", ("one",)))
    world.reads.stale = [Page(1, ()), Page(2, ())]
    shown.start()
    await shown.ends_with("one")
    world.do(Post("ann", ("two",)))
    assert await shown.ends_with("two") == ["one", "two"]


async def test_a_retried_follow_does_not_follow_again(world: World, shown: Shown) -> None:
    shown.start()
    await live(world)
    world.do(Follow("reader", "bob"))
    follow = Command(1, world.number, Follow("reader", "bob"))
    world.do(Unfollow("reader", "bob"))
    world.apply_command(follow)
    world.hear()
    world.do(Post("bob", ("no",)), Post("ann", ("end",)))
    assert await shown.ends_with("end") == ["end"]


async def test_a_retried_post_is_shown_once(world: World, shown: Shown) -> None:
    shown.start()
    await live(world)
    world.do(Post("ann", ("once",)))
    world.apply_command(Command(1, world.number, Post("ann", ("once",))))
    world.hear()
    world.do(Post("ann", ("end",)))
    assert await shown.ends_with("end") == ["once", "end"]


async def test_a_queue_that_runs_over_while_the_history_is_read(
    world: World, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "MAX_QUEUED_BYTES", 10_000)
    shown.start()
    await live(world)
    world.reads.open.clear()
    expected = []
    for i in range(20):
        texts = tuple(f"{i}.{j}".ljust(100) for j in range(10))
        expected += texts
        world.do(Post("ann", texts))
        if i == 12:  # it has fallen behind by now, and what it pages is older than what comes
            await until(lambda: world.reads.held_back, "it pages")
    world.reads.open.set()
    assert await shown.ends_with(expected[-1]) == expected
    world.do(Post("ann", ("end",)))
    assert await shown.ends_with("end") == [*expected, "end"]


async def test_posts_that_nobody_follows_cost_nothing(world: World, shown: Shown) -> None:
    shown.start()
    await live(world)
    (subscription,) = world.hub._by_user["reader"]
    world.do(Post("bob", ("x",)), Post("reader", ("y",)))
    assert subscription.queued_bytes == 0
