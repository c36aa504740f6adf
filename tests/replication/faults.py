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
    point = chance.choice(("committed", "applied"))
    await dies_at(member, point, 0.3)
    await asyncio.sleep(chance.uniform(0, 0.2))
    await member.start()


async def drop_links(cluster: Cluster, chance: random.Random, member: Member) -> None:
    for _ in range(chance.randint(1, 4)):
        cluster.network.drop(member.node, chance.choice([n for n in cluster.nodes if n != member.node]))
        await asyncio.sleep(chance.uniform(0, 0.05))


async def isolate(cluster: Cluster, chance: random.Random, member: Member) -> None:
    cluster.network.isolate(member.node)
    await asyncio.sleep(chance.uniform(0, 0.8))
    cluster.network.heal(member.node)


async def transfer(cluster: Cluster, chance: random.Random, member: Member) -> None:
    with contextlib.suppress(TimeoutError):  # nobody could take it just now
        await (cluster.leader or member).replica.transfer_leadership(0.5)


async def stall(cluster: Cluster, chance: random.Random, member: Member) -> None:
    """Of SQLite: what is committed waits to be applied."""
    state, apply, release = member.state, member.state.apply, threading.Event()
    member.replica._applier.disk_is_good = False  # else the loop itself would wait, and this test with it

    def held(*arguments):
        release.wait()
        return apply(*arguments)

    state.apply = held
    await asyncio.sleep(chance.uniform(0, 0.5))
    state.apply = apply
    release.set()
    member.replica._applier.disk_is_good = True


class Killed(Exception):
    """Nothing that would follow happens."""


Fault = Callable[[Cluster, random.Random, Member], Awaitable[None]]
FAULTS: tuple[Fault, ...] = (kill, kill_the_leader, die_before_answering, drop_links, isolate, transfer, stall)


async def dies_at(member: Member, point: str, seconds: float) -> None:
    """Kills this member when its next entries are committed ("committed"), or in its state ("applied"), before anybody
    hears of that; at the latest after so long."""
    apply, dead, loop = member.state.apply, asyncio.Event(), asyncio.get_running_loop()

    def die(*arguments):
        if point == "applied":
            apply(*arguments)
        member.up = False
        loop.call_soon_threadsafe(dead.set)
        raise Killed

    member.state.apply = die
    with contextlib.suppress(TimeoutError):  # it had nothing to do: an ordinary kill
        await asyncio.wait_for(dead.wait(), seconds)
    await member.kill()
