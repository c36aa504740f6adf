"""The face of the native member, with real members behind it."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.replication.cluster import running, until
from tinysns.domain.writes import Command, Login, Outcome, Post
from tinysns.replication.interface import Overloaded

pytestmark = pytest.mark.timeout(60)


async def test_what_is_submitted_in_one_turn_is_proposed_at_once_and_in_order(tmp_path: Path) -> None:
    async with running(tmp_path) as cluster:
        leader = await cluster.settled()
        await leader.write(5, 1, Login("ann"))
        before = leader.replica.status()
        answers = [leader.replica.submit(Command(5, n, Post("ann", (str(n),)))) for n in range(2, 60)]
        positions = [(await answer).position for answer in answers]
        assert positions == sorted(positions)
        assert positions[-1] >> 16 == positions[0] >> 16, "all of them are one entry"
        after = leader.replica.status()
        assert after.local - before.local == len(answers)
        assert after.fsyncs - before.fsyncs <= 2


async def test_a_command_has_no_task(tmp_path: Path) -> None:
    async with running(tmp_path) as cluster:
        leader = await cluster.settled()
        before = asyncio.all_tasks()
        answers = [leader.replica.submit(Command(5, n, Login(f"user{n}"))) for n in range(1, 50)]
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == before
        await asyncio.gather(*answers)


async def test_a_second_submit_of_the_same_waits_for_the_same_answer(tmp_path: Path) -> None:
    async with running(tmp_path) as cluster:
        leader = await cluster.settled()
        first, second, other = (leader.replica.submit(Command(5, 1, Login("ann"))) for _ in range(3))
        other.cancel()
        assert await first == await second
        assert (await leader.write(5, 1, Login("ann"))) == await first


async def test_a_gap_is_closed_here_when_its_beginning_comes_later(tmp_path: Path) -> None:
    async with running(tmp_path) as cluster:
        leader = await cluster.settled()
        await leader.write(5, 1, Login("ann"))
        later = leader.replica.submit(Command(5, 3, Post("ann", ("later",))))
        earlier = leader.replica.submit(Command(5, 2, Post("ann", ("earlier",))))
        assert (await earlier).outcome is (await later).outcome is Outcome.DONE
        assert (await earlier).position < (await later).position
        answer = await leader.write(5, 9, Post("ann", ("nobody holds what is before it",)))
        assert (answer.outcome, answer.expected) == (Outcome.GAP, 4)


async def test_what_is_too_much_is_refused_for_certain_and_leaves_no_trace(tmp_path: Path) -> None:
    async with running(tmp_path) as cluster:
        leader = await cluster.settled()
        await leader.write(5, 1, Login("ann"))
        for member in [m for m in cluster.alive if m is not leader]:
            await member.kill()
        text = "x" * 60_000
        answers = []
        for number in range(2, 200):  # each turn brings a megabyte that nobody commits
            answers.append(leader.replica.submit(Command(5, number, Post("ann", (text,) * 17))))
            await asyncio.sleep(0)
            if answers[-1].done():
                break
        with pytest.raises(Overloaded, match=r"h[123]: too much waits"):
            await answers[-1]
        assert 50 < len(answers) < 80
        for answer in answers:
            answer.cancel()
        assert (5, len(answers) + 1) not in leader.replica._pending


async def test_a_loop_that_stood_still_blames_nobody(tmp_path: Path) -> None:
    async with running(tmp_path, election_ms=200, heartbeat_ms=50) as cluster:
        leader = await cluster.settled()
        other = next(m for m in cluster.alive if m is not leader)
        leader.native.transfer()
        time.sleep(1.5)  # noqa: ASYNC251  # it is that of all members, and longer than any of their durations
        await asyncio.sleep(0)
        await cluster.settled()
        assert not any(m.replica.problem for m in cluster.alive)
        await other.write(5, 1, Login("ann"))


async def test_a_peer_that_died_is_lost_until_it_is_back(tmp_path: Path) -> None:
    async with running(tmp_path) as cluster:
        leader = await cluster.settled()
        other = next(m for m in cluster.alive if m is not leader)
        assert not other.replica.lost_peers
        await leader.kill()
        await until(lambda: other.replica.lost_peers == {leader.node: 1}, "its lifeline has ended", seconds=1.0)
        await leader.start()
        await cluster.settled()
        assert not other.replica.lost_peers
