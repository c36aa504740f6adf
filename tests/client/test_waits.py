"""Who shows something to people hears of a wait that is worth a line: once when it is, once when it is over."""

import asyncio
from contextlib import aclosing

from tests.client.double import Cluster
from tinysns.client import Client, Limits, Wait

LIMITS = Limits(deadline_seconds=60.0, try_seconds=0.05, notice_seconds=1.0)


async def test_an_outage_is_told_once_however_many_wait_and_once_when_it_is_over() -> None:
    told: list[Wait] = []
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=LIMITS, on_wait=told.append) as client:
        session = client.session()
        await session.login("ada")
        async with aclosing(client.timeline_batches("ada", heartbeat_ms=50)) as batches:
            await anext(batches)
            for master in cluster.masters:
                await master.kill()
            waiting = [asyncio.ensure_future(w) for w in (session.login("ada"), client.list("ada"), anext(batches))]
            async with asyncio.timeout(60):
                while not told:  # noqa: ASYNC110  the hook is what is tested
                    await asyncio.sleep(0.01)
            assert not any(future.done() for future in waiting), "it is told while they wait"
            for master in cluster.masters:
                await master.start()
            await asyncio.gather(*waiting)
    begun, over = told
    assert not begun.over
    assert begun.seconds >= LIMITS.notice_seconds
    assert over.over
    assert over.seconds >= begun.seconds


async def test_a_failover_is_not_told() -> None:
    told: list[Wait] = []
    # A failover that waited for any timeout would be told, one on a busy machine is not.
    limits = Limits(deadline_seconds=120.0, try_seconds=120.0, notice_seconds=60.0)
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=limits, on_wait=told.append) as client:
        session = client.session()
        await session.login("ada")
        await cluster.leader.kill()
        await session.login("ada")
        assert not told


async def test_silence_of_idle_timelines_sessions_and_readers_is_not_told() -> None:
    told: list[Wait] = []
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=LIMITS, on_wait=told.append) as client:
        session = client.session()
        await session.login("ada")
        async with aclosing(client.timeline_batches("ada", heartbeat_ms=50)) as batches:
            await anext(batches)
            await asyncio.sleep(1.2 * LIMITS.notice_seconds)  # the reader thinks
            for _ in range(25):  # and then waits for longer than that in all
                await anext(batches)
        assert not told


async def test_a_call_that_gives_up_waits_no_longer() -> None:
    told: list[Wait] = []
    limits = Limits(deadline_seconds=2.0, try_seconds=0.1, notice_seconds=1.0)
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=limits, on_wait=told.append) as client:
        session = client.session()
        await session.login("ada")
        for master in cluster.masters:
            master.hang()
        await asyncio.gather(session.login("ada"), return_exceptions=True)
        assert [w.over for w in told] == [False, True]
        assert "does not answer" in told[0].reason
