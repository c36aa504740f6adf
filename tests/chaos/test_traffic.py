"""The client processes, for real, against a double of the service that loses commands and answers."""

import asyncio
import time
from pathlib import Path

import pytest

from chaos import history
from chaos.checks.delivery import judge_delivery
from chaos.errors import CannotRun
from chaos.traffic.processes import Load, Traffic
from chaos.traffic.reread import reread
from chaos.traffic.writer import Pace
from tests.client.double import Cluster

LOAD = Load(writers=2, followers=2, pace=Pace(every_ms=5))
POSTS = 150  # of each writer, under faults


async def test_what_clients_write_down_is_what_happened(tmp_path: Path) -> None:
    async with Cluster(seed=3) as cluster:
        await asyncio.to_thread(_run, cluster, tmp_path)
    writers, readers = history.read_all(tmp_path)
    assert [(w.name, w.author, w.ended) for w in writers] == [
        ("writer-1", "r-w1", True),
        ("writer-2", "r-w2", True),
    ]
    assert all(len(w.acknowledged) >= POSTS for w in writers)
    assert [(r.name, r.live, r.ended) for r in readers] == [
        ("follower-1", True, True),
        ("follower-2", True, True),
        ("reread-h2", False, True),
    ]
    found = judge_delivery(writers, readers)
    assert found.right, found
    assert {p.text for p in cluster.model.posts} == {w.text for writer in writers for w in writer.acknowledged}


async def test_clients_end_when_their_runner_is_gone(tmp_path: Path) -> None:
    async with Cluster() as cluster:
        traffic = Traffic(tmp_path, "r", cluster.router_addresses, LOAD)
        with traffic:
            await asyncio.to_thread(traffic.start)
            troubles = await asyncio.to_thread(traffic.abandon)
    assert len(troubles) == LOAD.writers + LOAD.followers
    assert all("the runner ended" in trouble for trouble in troubles)


async def test_without_a_service_it_says_so(tmp_path: Path) -> None:
    with Traffic(tmp_path, "r", ["127.0.0.1:9"], LOAD) as traffic, pytest.raises(CannotRun, match="writer 1 could not"):
        await asyncio.to_thread(traffic.start)


def _posts_by(cluster: Cluster, author: str) -> int:
    return sum(post.author == author for post in tuple(cluster.model.posts))


def _run(cluster: Cluster, folder: Path) -> None:
    with Traffic(folder, "r", cluster.router_addresses, LOAD) as traffic:
        traffic.start()
        cluster.unruly = True
        cluster.faults = {"lose the command": 0.01, "lose the answer": 0.01, "refuse": 0.01}
        while min(_posts_by(cluster, user) for user in ("r-w1", "r-w2")) < POSTS:
            time.sleep(0.05)  # they run as fast as this machine lets them
        cluster.faults = {}
        assert traffic.stop_writers() == []
        writers, _ = history.read_all(folder)
        last = max(write.position for writer in writers for write in writer.acknowledged)
        assert traffic.stop_followers(last) == []
        recorder = history.Recorder(folder / "history" / "reread-h2.jsonl")
        assert reread(cluster.router_addresses, traffic.users[0], cluster.masters[1].address, recorder) == ""
