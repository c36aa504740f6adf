"""A cluster under faults: the soak of a few seeds, and leaders that die between a commit and its answer."""

import asyncio
from pathlib import Path

import pytest

from tests.replication.cluster import running
from tests.replication.faults import dies_at
from tests.replication.soak import soak
from tinysns.domain.writes import Follow, Login, Outcome, Post, Unfollow
from tinysns.replication import replica
from tinysns.replication.interface import NotServing

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(("seed", "size"), [(1, 3), (2, 3), (3, 4)])
async def test_nothing_is_lost_doubled_or_stale_whatever_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, size: int
) -> None:
    monkeypatch.setattr(replica, "CHECKPOINT_SECONDS", 0.05)
    await soak(tmp_path, seed, size, seconds=3.0)


@pytest.mark.parametrize("through", ["leader", "standby"])
@pytest.mark.parametrize("point", ["committed", "applied"])
async def test_a_leader_dies_between_the_commit_and_the_answer(tmp_path: Path, point: str, through: str) -> None:
    """Every kind of write, sent again with its name, has taken effect once and gets one answer everywhere."""
    async with running(tmp_path, 3) as cluster:
        await (await cluster.settled()).write(1, 1, Login("bob"))
        writes = [Login("ann"), Follow("ann", "bob"), Unfollow("ann", "bob"), Post("ann", ("a", "b"))]
        for number, write in enumerate(writes, start=1):
            leader = await cluster.settled()
            others = [m for m in cluster.alive if m is not leader]
            asked = leader if through == "leader" else others[0]
            death = asyncio.ensure_future(dies_at(leader, point, 60.0))
            await asyncio.sleep(0)  # it waits for the write
            try:
                first = await asked.write(7, number, write, seconds=0.3 if asked is leader else 60.0)
            except (NotServing, TimeoutError):
                assert asked is leader  # a standby holds the write until there is another leader
                first = None
            await death
            answers = {await member.write(7, number, write) for member in others} | ({first} if first else set())
            assert [answer.outcome for answer in answers] == [Outcome.DONE]
            await leader.start()
        await cluster.settled()
        await cluster.equal()
