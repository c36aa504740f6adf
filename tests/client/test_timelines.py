"""A timeline has no gap and no double, and needs routers only to begin."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from tests.client.double import Cluster
from tinysns.client import Client, CursorAhead, Definite, Limits, Session, Unreachable
from tinysns.client import links as links_module
from tinysns.client import routes as routes_module
from tinysns.client.codec import TimelinePost

PATIENT = Limits(deadline_seconds=120.0, try_seconds=120.0)  # so that whoever waits for a try waits in vain
SOON_SECONDS = 60.0  # much less than that, however busy this machine is


async def _pair(session: Session) -> None:
    await session.login("ada")
    await session.login("bob")
    await session.follow("bob", "ada")


async def test_resumes_behind_a_position() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session()
        await _pair(session)
        first = await session.post("ada", ["1", "2", "3"])
        assert [p.text for p in await client.history("bob", first)] == ["2", "3"]
        assert [p.text for p in await client.history("bob", only=[cluster.masters[2].address])] == ["1", "2", "3"]


async def test_unknown_user_is_definite() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        with pytest.raises(Definite, match="no user 'eve'"):
            await client.history("eve")
        with pytest.raises(Definite, match="no user 'eve'"):
            await client.list("eve")


async def test_a_name_that_nobody_can_have_is_definite_and_not_even_sent() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        for name in ("", "two words", "\udcff"):  # the last: what Python makes of a byte that is no UTF-8
            with pytest.raises(Definite, match="name"):
                await client.history(name)
            with pytest.raises(Definite, match="name"):
                await anext(client.timeline(name))


@pytest.mark.parametrize("how", ["kill", "hang", "refuse"])
async def test_goes_on_elsewhere(how: str) -> None:
    limits, heartbeat_ms = (Limits(), 200) if how == "hang" else (PATIENT, 120_000)  # of a hung one silence is all
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=limits) as client:
        session = client.session()
        await _pair(session)
        async with aclosing(_posts(client, heartbeat_ms)) as posts:
            await session.post("ada", ["before"])
            assert (await anext(posts)).text == "before"
            if how == "kill":
                await cluster.leader.kill()
            elif how == "hang":
                cluster.leader.hang()
            else:
                cluster.leader.refusing = "no contact with a leader"
            await session.post("ada", ["after"])
            async with asyncio.timeout(SOON_SECONDS):
                assert (await anext(posts)).text == "after"


async def _posts(client: Client, heartbeat_ms: int) -> AsyncGenerator[TimelinePost]:
    async with aclosing(client.timeline_batches("bob", heartbeat_ms=heartbeat_ms)) as batches:
        async for batch in batches:
            for post in batch:
                yield post


async def test_the_word_of_a_death_ends_streams_that_look_well() -> None:
    """The sockets of a dead process stay open for milliseconds; here, for ever."""
    async with Cluster() as cluster, Client(cluster.router_addresses, limits=PATIENT) as client:
        session = client.session()
        await _pair(session)
        async with aclosing(client.timeline_batches("bob", heartbeat_ms=120_000)) as batches:
            await session.post("ada", ["before"])
            assert [p.text for p in await anext(batches)] == ["before"]
            dead = cluster.leader
            dead.hang()
            posting = asyncio.ensure_future(session.post("ada", ["after"]))
            reading = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(0.05)
            assert not posting.done()
            cluster.dead = [dead.address]
            cluster.elect()
            async with asyncio.timeout(SOON_SECONDS):
                await posting
                assert [p.text for p in await reading] == ["after"]
            assert dead.address not in client.connected
            cluster.dead = []
            dead.resume()
            cluster.tell_routers()
            async with asyncio.timeout(SOON_SECONDS):
                while dead.address not in client.connected:  # noqa: ASYNC110  no event tells a test
                    await asyncio.sleep(0.01)


async def test_death_of_all_routers_is_not_noticed() -> None:
    async with Cluster(routers=2) as cluster, Client(cluster.router_addresses[:1], limits=PATIENT) as client:
        session = client.session()
        await _pair(session)
        async with aclosing(client.timeline("bob")) as posts:
            for router in cluster.routers:
                await router.kill()
            for n in range(20):
                await session.post("ada", [str(n)])
                assert (await anext(posts)).text == str(n)
            assert session.master == cluster.leader.address


async def test_route_is_heard_from_the_next_router_after_the_death_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_module, "_LOOK_SECONDS", 3600.0)  # a death is noticed by itself
    async with Cluster(routers=2) as cluster, Client(cluster.router_addresses[:1]) as client:
        await cluster.routers[0].kill()
        cluster.elect()
        async with asyncio.timeout(SOON_SECONDS):
            while client.route.leader != cluster.leader.address:  # noqa: ASYNC110  no event tells a test
                await asyncio.sleep(0.01)


async def test_without_a_router_one_sentence_names_those_tried() -> None:
    async with Cluster() as cluster:
        await cluster.routers[0].kill()
        address = cluster.router_addresses[0]
        with pytest.raises(Unreachable, match=f"no router answers .tried {address}"):
            async with Client([address], limits=Limits(connect_seconds=0.3)):
                pass


async def test_a_dead_master_is_tried_again_after_short_pauses_and_connected_once_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses, pause = list[float](), links_module.Link._pause

    async def told(self: links_module.Link, seconds: float) -> None:
        pauses.append(seconds)
        await pause(self, seconds)

    async with Cluster() as cluster, Client(cluster.router_addresses, limits=PATIENT) as client:
        await client.session().login("ada")
        victim = cluster.masters[2]
        monkeypatch.setattr(links_module.Link, "_pause", told)
        await victim.kill()
        async with asyncio.timeout(SOON_SECONDS):
            while len(pauses) < 5:  # noqa: ASYNC110  no event tells a test
                await asyncio.sleep(0.01)
        assert pauses[:5] == [0.05, 0.1, 0.2, 0.25, 0.25]
        await victim.start()
        assert await client.history("ada", only=[victim.address]) == []


async def test_a_cursor_ahead_of_the_service_is_an_error_of_its_own() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session()
        await _pair(session)
        last = await session.post("ada", ["1"])
        with pytest.raises(CursorAhead, match="begin again from 0") as caught:
            await client.history("bob", last + (1 << 20))
        assert caught.value.definite
        assert [p.text for p in await client.history("bob", last)] == []


async def test_a_slow_reader_stops_the_service_instead_of_filling_its_memory() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session()
        await _pair(session)
        await session.post_all("ada", ("x" * 60_000 for _ in range(600)))  # 36 MB; 3 MB for each message of the double
        async with aclosing(_posts(client, heartbeat_ms=400)) as posts:  # three of them are a silence
            await anext(posts)
            master = next(m for m in cluster.masters if m.timelines)
            await asyncio.sleep(1.5)  # it reads what it has got
            assert master.sent <= 150
            assert [m.timelines for m in cluster.masters] == [int(m is master) for m in cluster.masters]
            for _ in range(599):
                await anext(posts)
