"""A member that is too far behind fetches the state; whatever else happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.replication.cluster import Cluster, Member, running, until
from tinysns.domain.writes import Login, Outcome, Post
from tinysns.replication import replica, state_copies
from tinysns.replication.interface import NotServing

pytestmark = pytest.mark.timeout(300)


@dataclass
class Fetching:
    """A cluster with a member in the middle of a fetch, which goes on with `go_on`."""

    cluster: Cluster
    member: Member
    go_on: asyncio.Event
    heard: list[int] = field(default_factory=list)  # applied indexes that the member's listeners heard of

    @property
    def leader(self) -> Member:
        assert self.cluster.leader is not None
        return self.cluster.leader

    async def write(self, count: int) -> None:
        for _ in range(count):
            self.written += 1
            answer = await self.leader.write(5, self.written, Post("ann", (f"post {self.written}",)))
            assert answer.outcome is Outcome.DONE

    written: int = 1

    def applied(self, _effects, applied_index: int) -> None:
        self.heard.append(applied_index)

    def installed(self, applied_index: int) -> None:
        self.heard.append(applied_index)

    def refusing(self, _sentence: str) -> None: ...


@asynccontextmanager
async def fetching(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fetching]:
    monkeypatch.setattr(replica, "CHECKPOINT_SECONDS", 0.05)
    go_on, begun, fetch = asyncio.Event(), asyncio.Event(), state_copies.fetch

    async def held(*arguments):
        begun.set()
        await go_on.wait()
        return await fetch(*arguments)

    monkeypatch.setattr(state_copies, "fetch", held)
    limits = {"compact_every_entries": 50, "keep_entries": 5, "election_ms": 200, "heartbeat_ms": 50}
    async with running(folder, 3, with_network=True, **limits) as cluster:
        leader = await cluster.settled()
        behind = next(m for m in cluster.alive if m is not leader)
        await leader.write(5, 1, Login("ann"))
        await behind.kill()
        world = Fetching(cluster, behind, go_on)
        while leader.replica.status().first < 100:
            await world.write(20)
        await behind.start()
        behind.replica.add_listener(world)
        await asyncio.wait_for(begun.wait(), 60)
        yield world
        go_on.set()


async def caught_up(world: Fetching) -> None:
    world.go_on.set()
    await world.cluster.settled()
    await until(lambda: world.member.replica.applied_index >= world.leader.replica.applied_index, "it caught up")
    await world.cluster.equal()


async def test_a_member_that_is_fetching_refuses_and_serves_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fetching(tmp_path, monkeypatch) as world:
        await until(lambda: "fetching the state" in world.member.replica.problem, "it says what it does")
        with pytest.raises(NotServing, match="fetching the state"):
            await world.member.replica.read_barrier()
        await world.write(30)
        await caught_up(world)
        await until(lambda: not world.member.replica.problem, "it serves")
        await world.member.write(6, 1, Login("bob"))
        assert world.heard == sorted(world.heard)


async def another_snapshot(world: Fetching) -> None:
    first = world.leader.replica.status().first
    while world.leader.replica.status().first == first:
        await world.write(20)
    for _ in range(3):
        world.cluster.network.drop(world.leader.node, world.member.node)
        await world.cluster.settled()


async def another_leader(world: Fetching) -> None:
    old = world.leader
    await old.replica.transfer_leadership(60.0)
    assert world.leader is not old
    await world.write(5)


async def no_leader(world: Fetching) -> None:
    old = world.leader
    await old.kill()
    await asyncio.sleep(0.3)
    world.go_on.set()
    await until(lambda: world.cluster.leader is not None, "the one that was fetching votes")
    await world.write(5)
    await old.start()


async def the_end(world: Fetching) -> None:
    await world.member.kill()
    await world.write(5)
    await world.member.start()


async def a_broken_network(world: Fetching) -> None:
    world.cluster.network.isolate(world.member.node)
    await world.write(5)
    await until(lambda: not world.member.replica.connected, "it is alone")
    world.cluster.network.heal(world.member.node)


@pytest.mark.parametrize("event", [another_snapshot, another_leader, no_leader, the_end, a_broken_network])
async def test_a_fetch_goes_on_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, event: Callable[[Fetching], Awaitable[None]]
) -> None:
    async with fetching(tmp_path, monkeypatch) as world:
        await event(world)
        await caught_up(world)
