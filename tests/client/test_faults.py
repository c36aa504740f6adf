"""Seeded runs: masters are killed, hung and restarted, messages get lost, and yet everything arrives once."""

import asyncio
import random

import pytest

from tests.client.double import Cluster
from tinysns.client import Client, Session
from tinysns.domain.writes import Outcome, Post

AUTHORS = ("ada", "bob")
POSTS_EACH = 600


@pytest.mark.parametrize("seed", range(6))
async def test_everything_arrives_once_and_in_order(seed: int) -> None:
    chance = random.Random(seed)
    async with Cluster(seed, routers=2) as cluster, Client(cluster.router_addresses) as client:
        await _befriend(client.session())
        cluster.unruly = True
        cluster.faults = {"lose the command": 0.01, "lose the answer": 0.01, "refuse": 0.01, "be late": 0.01}
        troubles = asyncio.create_task(_trouble(cluster, chance))
        reading = [asyncio.create_task(_read(client, reader)) for reader in ("reader", "other")]
        try:
            await asyncio.gather(
                *(_write(client.session(window=chance.choice((1, 8, 64))), a, chance) for a in AUTHORS)
            )
            received = await asyncio.wait_for(asyncio.gather(*reading), 90)
        finally:
            for task in (troubles, *reading):
                task.cancel()
            await asyncio.gather(troubles, *reading, return_exceptions=True)
        written = [p.text for p in cluster.model.posts]
        assert len(written) == len(AUTHORS) * POSTS_EACH
        for texts in received:
            assert texts == written
        for author in AUTHORS:
            assert [t for t in written if t.startswith(author)] == [f"{author} {n}" for n in range(POSTS_EACH)]


async def _befriend(session: Session) -> None:
    for user in (*AUTHORS, "reader", "other"):
        await session.login(user)
    for author in AUTHORS:
        await session.follow("reader", author)
        await session.follow("other", author)


async def _write(session: Session, author: str, chance: random.Random) -> None:
    answers, n = [], 0
    while n < POSTS_EACH:
        size = min(chance.randint(1, 4), POSTS_EACH - n)
        await session.room()
        answers.append(session.submit(Post(author, tuple(f"{author} {i}" for i in range(n, n + size)))))
        n += size
        await asyncio.sleep(0.002)  # the pace of the load, so that it lasts as long as the troubles
    assert {(await a).outcome for a in answers} == {Outcome.DONE}


async def _read(client: Client, reader: str) -> list[str]:
    texts: list[str] = []
    async for post in client.timeline(reader):
        texts.append(post.text)
        if len(texts) == len(AUTHORS) * POSTS_EACH:
            break
    return texts


async def _trouble(cluster: Cluster, chance: random.Random) -> None:
    """One master or router at a time, and an election whenever the leader is not well."""
    while True:
        victim = chance.choice([cluster.leader, *cluster.masters, *cluster.routers])
        if chance.random() < 0.5:
            await victim.kill()
        else:
            victim.hang()
        await asyncio.sleep(chance.uniform(0, 0.05))
        if not cluster.leader.well:
            cluster.elect()
        await asyncio.sleep(chance.uniform(0.1, 0.4))
        victim.resume()
        if not victim.alive:
            await victim.start()
        await asyncio.sleep(chance.uniform(0.02, 0.2))
