"""A timeline has no gap and no double, and needs routers only to begin."""

import asyncio
from contextlib import aclosing

import pytest

from tests.client.double import Cluster
from tinysns.client import Client, Definite, Limits, Session, Unreachable
from tinysns.client.blocking import BlockingClient


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


@pytest.mark.parametrize("how", ["kill", "hang", "refuse"])
async def test_goes_on_elsewhere(how: str) -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        session = client.session()
        await _pair(session)
        async with aclosing(client.timeline("bob")) as posts:
            await session.post("ada", ["before"])
            assert (await anext(posts)).text == "before"
            if how == "kill":
                await cluster.leader.kill()
            elif how == "hang":
                cluster.leader.hang()
            else:
                cluster.leader.refusing = "no contact with a leader"
            await session.post("ada", ["after"])
            async with asyncio.timeout(0.3 if how == "kill" else 1.5):
                assert (await anext(posts)).text == "after"


async def test_death_of_all_routers_is_not_noticed() -> None:
    async with Cluster(routers=2) as cluster, Client(cluster.router_addresses[:1]) as client:
        session = client.session()
        await _pair(session)
        async with aclosing(client.timeline("bob")) as posts:
            for router in cluster.routers:
                await router.kill()
            for n in range(20):
                await session.post("ada", [str(n)])
                assert (await anext(posts)).text == str(n)
            assert session.master == cluster.leader.address


async def test_route_is_heard_from_the_next_router_after_the_death_of_one() -> None:
    async with Cluster(routers=2) as cluster, Client(cluster.router_addresses[:1]) as client:
        await cluster.routers[0].kill()
        cluster.elect()
        async with asyncio.timeout(3):
            while client.route.leader != cluster.leader.address:  # noqa: ASYNC110  no event tells a test
                await asyncio.sleep(0.01)


async def test_without_a_router_one_sentence_names_those_tried() -> None:
    async with Cluster() as cluster:
        await cluster.routers[0].kill()
        address = cluster.router_addresses[0]
        with pytest.raises(Unreachable, match=f"no router answers .tried {address}"):
            async with Client([address], limits=Limits(connect_seconds=0.3)):
                pass


async def test_restarted_master_is_connected_again_soon() -> None:
    async with Cluster() as cluster, Client(cluster.router_addresses) as client:
        await client.session().login("ada")
        victim = cluster.masters[2]
        await victim.kill()
        await asyncio.sleep(0.3)  # it is down for so long
        await victim.start()
        async with asyncio.timeout(0.8):
            assert await client.history("ada", only=[victim.address]) == []


def test_blocking_face() -> None:
    async def serve(started: asyncio.Event, stop: asyncio.Event, cluster: list[Cluster]) -> None:
        async with Cluster() as c:
            cluster.append(c)
            started.set()
            await stop.wait()

    async def main() -> None:
        started, stop, clusters = asyncio.Event(), asyncio.Event(), list[Cluster]()
        serving = asyncio.create_task(serve(started, stop, clusters))
        await started.wait()
        await asyncio.to_thread(_use_blocking, clusters[0].router_addresses)
        stop.set()
        await serving

    asyncio.run(main())


def _use_blocking(routers: list[str]) -> None:
    with BlockingClient(routers) as client:
        client.login("ada")
        client.login("bob")
        client.follow("bob", "ada")
        client.post("ada", ["one", "two"])
        texts = []
        for post in client.timeline("bob"):
            texts.append(post.text)
            if len(texts) == 2:
                break
        assert texts == ["one", "two"]
        assert client.list("ada").followers == ("ada", "bob")
        with pytest.raises(Definite):
            client.unfollow("ada", "bob")
