"""What can happen to one member: each fault is healed before it returns."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Awaitable, Callable

from tests.replication.cluster import Cluster, Member


async def kill(cluster: Cluster, chance: random.Random, member: Member) -> None:
    await member.kill()
    await asyncio.sleep(chance.uniform(0, 0.5))
    await member.start()


async def kill_the_leader(cluster: Cluster, chance: random.Random, member: Member) -> None:
    await kill(cluster, chance, cluster.leader or member)


async def die_before_answering(cluster: Cluster, chance: random.Random, member: Member) -> None:
    """What was proposed is in the log, or even applied; nobody has heard of it."""
    member = cluster.leader or member
    point = chance.choice(("written", "applied"))
    await dies_at(member, point, 0.3)
    await asyncio.sleep(chance.uniform(0, 0.2))
    await member.start()


async def drop_links(cluster: Cluster, chance: random.Random, member: Member) -> None:
    for _ in range(chance.randint(1, 4)):
        member.links.drop(chance.choice([n for n in cluster.nodes if n != member.node]))
        await asyncio.sleep(chance.uniform(0, 0.05))


async def isolate(cluster: Cluster, chance: random.Random, member: Member) -> None:
    member.links.isolate()
    await asyncio.sleep(chance.uniform(0, 0.8))
    member.links.rejoin()


async def hand_over(cluster: Cluster, chance: random.Random, member: Member) -> None:
    with contextlib.suppress(TimeoutError):  # nobody could take it just now
        await (cluster.leader or member).replica.hand_over(0.5)


async def stall(cluster: Cluster, chance: random.Random, member: Member) -> None:
    replica = member.replica
    worker = chance.choice((replica._driver.writer, replica._applier))
    release, work = threading.Event(), worker._work

    def held(batch):
        release.wait()
        return work(batch)

    worker._work = held
    await asyncio.sleep(chance.uniform(0, 0.5))
    worker._work = work
    release.set()


Fault = Callable[[Cluster, random.Random, Member], Awaitable[None]]
FAULTS: tuple[Fault, ...] = (kill, kill_the_leader, die_before_answering, drop_links, isolate, hand_over, stall)


async def dies_at(member: Member, point: str, seconds: float) -> None:
    """Kills this member when its next write is in the log ("written"), or in its state ("applied"), before anybody
    hears of that; at the latest after so long."""
    replica = member.replica
    worker = replica._driver.writer if point == "written" else replica._applier
    dead = asyncio.Event()

    def die(_batch, _result):
        member.cut_off()
        dead.set()

    worker._done = die
    with contextlib.suppress(TimeoutError):  # it had nothing to do: an ordinary kill
        await asyncio.wait_for(dead.wait(), seconds)
    await member.kill()
