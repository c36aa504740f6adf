"""Members together: elections, failover, retries, snapshots, sick disks."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replication.bad_disks import SmallDisk, small_disk
from tests.replication.cluster import running, until
from tinysns.domain.writes import Follow, Login, Outcome, Post
from tinysns.replication.interface import NotServing

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("size", [3, 4])
async def test_writes_at_any_member_are_applied_at_all(tmp_path: Path, size: int) -> None:
    async with running(tmp_path, size) as cluster:
        await cluster.settled()
        for node, member in cluster.members.items():
            answer = await member.write(session=node, number=1, write=Login(f"user{node}"))
            assert answer.outcome is Outcome.DONE
        await cluster.equal()


async def test_a_write_that_was_answered_is_seen_by_a_read_at_any_other_member(tmp_path: Path) -> None:
    async with running(tmp_path) as cluster:
        await cluster.settled()
        for number in range(1, 20):
            writer, reader = cluster.members[number % 3 + 1], cluster.members[(number + 1) % 3 + 1]
            answer = await writer.write(9, number, Login(f"user{number}"))
            await asyncio.wait_for(reader.replica.read_barrier(), 5)
            assert reader.replica.applied_index >= answer.position >> 16


@pytest.mark.parametrize("size", [3, 4])
async def test_a_killed_leader_is_replaced_and_waiting_writes_are_answered_once(tmp_path: Path, size: int) -> None:
    async with running(tmp_path, size) as cluster:
        leader = await cluster.settled()
        other = next(m for m in cluster.alive if m is not leader)
        await other.write(5, 1, Login("ann"))
        writes = [asyncio.ensure_future(other.write(5, n, Post("ann", (f"post {n}",)))) for n in range(2, 60)]
        await asyncio.sleep(0.002)
        await leader.kill()
        answers = await asyncio.gather(*writes)
        assert {a.outcome for a in answers} == {Outcome.DONE}
        positions = [a.position for a in answers]
        assert positions == sorted(set(positions))
        again = [await other.write(5, n, Post("ann", (f"post {n}",))) for n in range(2, 60)]
        assert [a.position for a in again] == positions
        await leader.start()
        await cluster.settled()
        await cluster.equal()


async def test_fast_failover_does_not_wait_for_the_election_timeout(tmp_path: Path) -> None:
    async with running(tmp_path, 4, election_ms=4000) as cluster:
        await cluster.settled()
        for number in range(1, 5):
            leader = await cluster.settled()
            old_term = leader.replica.view.term
            await leader.kill()
            await until(lambda: cluster.leader is not None, "a new leader, long before the timeout", seconds=2.0)
            assert cluster.leader.replica.view.term > old_term
            await cluster.leader.write(3, number, Login("ann"))
            await leader.start()


async def test_a_member_that_fell_silent_is_not_waited_for(tmp_path: Path) -> None:
    async with running(tmp_path, with_network=True) as cluster:
        leader = await cluster.settled()
        cluster.network.isolate(leader.node)  # a network that swallows everything
        await until(lambda: any(m.replica.view.leads for m in cluster.alive if m is not leader), "a leader besides it")
        other = next(m for m in cluster.alive if m is not leader)
        await other.write(3, 1, Login("ann"))
        with pytest.raises((NotServing, TimeoutError)):
            await leader.write(4, 1, Login("bob"), seconds=2.0)
        cluster.network.heal(leader.node)
        await cluster.settled()
        await cluster.equal()


async def test_a_survivor_that_notices_nothing_is_told_by_the_others(tmp_path: Path) -> None:
    async with running(tmp_path, 4, with_network=True, election_ms=4000) as cluster:
        leader = await cluster.settled()
        await leader.write(3, 1, Login("ann"))
        slow = next(m for m in cluster.alive if m is not leader)
        cluster.network.mute(slow.node, leader.node)
        await leader.kill()
        await until(lambda: cluster.leader is not None, "a new leader, long before the timeout", seconds=2.0)
        await slow.write(3, 2, Login("bob"))


async def test_one_broken_link_does_not_depose_a_healthy_leader(tmp_path: Path) -> None:
    async with running(tmp_path, with_network=True) as cluster:
        leader = await cluster.settled()
        term = leader.replica.view.term
        follower = next(m for m in cluster.alive if m is not leader)
        for _ in range(5):
            cluster.network.drop(follower.node, leader.node)
            await asyncio.sleep(0.05)  # it may be there again before anybody has looked
            await cluster.settled()
        assert leader.replica.view.leads
        assert leader.replica.view.term == term


async def test_commands_that_are_lost_on_the_way_are_submitted_again(tmp_path: Path) -> None:
    async with running(tmp_path, with_network=True) as cluster:
        leader = await cluster.settled()
        other = next(m for m in cluster.alive if m is not leader)
        await other.write(5, 1, Login("ann"))
        writes = [asyncio.ensure_future(other.write(5, n, Post("ann", (str(n),)), seconds=15)) for n in range(2, 50)]
        for _ in range(3):
            await asyncio.sleep(0.005)
            cluster.network.drop(other.node, leader.node)
        answers = await asyncio.gather(*writes)
        assert {a.outcome for a in answers} == {Outcome.DONE}
        assert [a.position for a in answers] == sorted(a.position for a in answers)


async def test_a_member_that_is_too_far_behind_gets_the_state(tmp_path: Path) -> None:
    async with running(tmp_path, 3, compact_every_entries=50, keep_entries=5) as cluster:
        leader = await cluster.settled()
        absent = next(m for m in cluster.alive if m is not leader)
        await leader.write(5, 1, Login("ann"))
        await absent.kill()
        number = 1
        while leader.replica.status().first < 100:
            batch = range(number + 1, number + 41)
            number = batch[-1]
            for n in batch:
                await leader.write(5, n, Post("ann", (f"post {n}",)))
            await asyncio.sleep(0.2)
        await absent.start()
        await cluster.settled()
        await until(lambda: absent.replica.applied_index == leader.replica.applied_index, "the absent one caught up")
        assert absent.replica.snapshots_installed == 1
        await cluster.equal()
        await absent.write(6, 1, Follow("ann", "ann"))
        await absent.kill()  # and it starts again from what was installed
        await absent.start()
        await cluster.settled()
        await cluster.equal()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Of the log of node 1."""
    mounted_at = tmp_path / "h1/disk"
    mounted_at.mkdir(parents=True)
    with small_disk(tmp_path, mounted_at) as disk:
        yield disk


async def test_a_leader_whose_disk_stalls_hands_over_and_comes_back(tmp_path: Path, disk: SmallDisk) -> None:
    async with running(tmp_path, logs={1: tmp_path / "h1/disk/log"}, disk_stall_ms=100) as cluster:
        leader = await cluster.lead(1)
        await leader.write(5, 1, Login("ann"))
        with disk.frozen():
            pending = asyncio.ensure_future(leader.write(5, 2, Login("bob"), seconds=30))
            await until(lambda: cluster.leader is not leader and cluster.leader is not None, "another one leads")
            with pytest.raises(NotServing, match="has not returned"):
                await pending
            other = cluster.leader
            assert (await other.write(5, 2, Login("bob"))).outcome in (Outcome.DONE, Outcome.WELCOME_BACK)
            with pytest.raises(NotServing):
                await leader.write(6, 1, Login("cid"))
        await cluster.settled()
        await cluster.equal()


async def test_a_member_with_a_nearly_full_disk_gives_leadership_back(tmp_path: Path, disk: SmallDisk) -> None:
    async with running(tmp_path, logs={1: tmp_path / "h1/disk/log"}, reserve_bytes=40 << 20) as cluster:
        leader = await cluster.lead(1)
        with disk.filled(but_bytes=30 << 20):
            await until(lambda: cluster.leader not in (leader, None), "somebody else leads")
            await until(lambda: "nearly full" in leader.replica.problem, "it says why")
            with pytest.raises(NotServing, match="nearly full"):
                await leader.write(5, 1, Login("ann"))
            await cluster.leader.write(5, 1, Login("ann"))
            await asyncio.wait_for(leader.replica.read_barrier(), 5)
        await until(lambda: not leader.replica.problem, "there is room again")
        await leader.write(5, 2, Login("bob"))


async def test_leadership_is_transferred_on_request(tmp_path: Path) -> None:
    async with running(tmp_path, 4) as cluster:
        leader = await cluster.settled()
        view = await leader.replica.transfer_leadership(2.0)
        assert view.leader not in (0, leader.node)
        await cluster.settled()


async def test_members_of_another_cluster_are_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as cluster:
        await cluster.settled()
        member = cluster.members[1]
        await member.kill()
        await member.start(cluster_id="another")
        await asyncio.sleep(0.5)
        assert not any(1 in m.replica.connected for m in cluster.alive if m is not member)
        await member.kill()
        await member.start()
        await cluster.settled()


async def test_without_a_quorum_a_member_refuses_instead_of_letting_clients_hang(tmp_path: Path) -> None:
    async with running(tmp_path) as cluster:
        leader = await cluster.settled()
        for member in [m for m in cluster.alive if m is not leader]:
            await member.kill()
        with pytest.raises(NotServing, match="no contact"):
            await leader.write(5, 1, Login("ann"))
        with pytest.raises(NotServing):
            await leader.replica.read_barrier()


async def test_everything_answered_survives_a_kill_of_all(tmp_path: Path) -> None:
    async with running(tmp_path) as cluster:
        leader = await cluster.settled()
        await leader.write(5, 1, Login("ann"))
        positions = [(await leader.write(5, n, Post("ann", (str(n),)))).position for n in range(2, 30)]
        for member in cluster.alive:
            await member.kill()
        for member in cluster.members.values():
            await member.start()
        leader = await cluster.settled()
        again = [(await leader.write(5, n, Post("ann", (str(n),)))).position for n in range(2, 30)]
        assert again == positions
        await cluster.equal()
