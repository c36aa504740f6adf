"""Where a client goes: in by whichever router answers first, then wherever the newest term says."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import aclosing

import pytest

from tests.client.double import Cluster
from tinysns.client import Client, Limits, Unreachable
from tinysns.client import routes as routes_module
from tinysns.domain.addresses import BadAddress

IMPATIENT = Limits(connect_seconds=2.0)
PATIENT = Limits(deadline_seconds=60.0, try_seconds=60.0, connect_seconds=60.0)


@pytest.mark.parametrize("how", ["kill", "hang"])
async def test_a_new_client_does_not_wait_for_a_router_that_is_down(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_module, "_ANSWER_SECONDS", 3600.0)  # asked one after the other, a silent one costs that
    async with Cluster(routers=3) as cluster:
        if how == "kill":
            await cluster.routers[0].kill()
        else:
            cluster.routers[0].hang()
        async with Client(cluster.router_addresses, limits=PATIENT) as client:
            assert client.route.leader == cluster.leader.address


async def test_one_router_is_asked_while_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_module, "_HEDGE_SECONDS", 60.0)  # it is never too slow
    async with Cluster(routers=3) as cluster:
        for _ in range(20):
            async with Client(cluster.router_addresses):
                pass
        assert [router.asked for router in cluster.routers] == [20, 0, 0]


async def test_a_router_that_knows_no_master_is_passed_over() -> None:
    async with Cluster(routers=2) as cluster:
        cluster.routers[0].empty = True
        async with Client(cluster.router_addresses) as client:
            assert client.route.leader == cluster.leader.address


async def test_a_router_that_lags_behind_is_left_for_one_that_does_not() -> None:
    async with Cluster(routers=2) as cluster, Client(cluster.router_addresses) as client:
        first, second = cluster.routers
        cluster.elect()
        await _heard_of(client, 2)
        first.term = 1
        cluster.elect()
        await _heard_of(client, 3)
        assert second.stays


async def test_lower_terms_are_believed_when_nobody_tells_another_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_module, "_BELIEVE_LOWER_SECONDS", 3600.0)
    async with Cluster(routers=2) as cluster:
        cluster.term = 70
        async with Client(cluster.router_addresses) as client:
            await _heard_of(client, 70)
            cluster.term = 1  # founded again
            cluster.elect()
            told = sum(len(router.stays) for router in cluster.routers)
            await _until_told(lambda: sum(len(router.stays) for router in cluster.routers) >= told + 4)
            assert client.route.term == 70, "it looked for a router that tells something else"
            monkeypatch.setattr(routes_module, "_BELIEVE_LOWER_SECONDS", 0.5)
            await _heard_of(client, 2)
            assert client.route.leader == cluster.leader.address


async def test_under_balanced_everything_goes_to_the_primary_and_stays_there_while_it_serves() -> None:
    async with Cluster() as cluster:
        leader, primary, other = cluster.masters
        cluster.primary = primary
        async with Client(cluster.router_addresses, limits=PATIENT) as client:
            session = client.session()
            await session.login("ada")
            assert session.master == primary.address
            async with aclosing(client.timeline_batches("ada", heartbeat_ms=200)) as batches:
                await anext(batches)
                cluster.primary = other  # the router would send a new client there
                cluster.tell_routers()
                await _heard_of(client, 1, other.address)
                await session.login("ada")
                await anext(batches)
            assert session.master == primary.address
            assert primary.timelines == 1
            await _until_told(lambda: cluster.routers[0].stays == [primary.address])
            await primary.kill()
            await session.login("ada")
            assert session.master in (leader.address, other.address)


async def test_one_sentence_says_what_is_wrong_with_the_routers() -> None:
    async with Cluster(routers=2) as cluster:
        master = cluster.masters[0].address
        empty, hung = cluster.routers
        empty.empty = True
        hung.hang()
        wrong = {
            master: f"no router answers (tried {master}: what listens there does not know",
            "127.0.0.1:1": "127.0.0.1:1: nothing listens there",
            empty.address: "no router knows a master, is the service running",
            hung.address: "no answer in time",
        }
        said = await asyncio.gather(*map(_enter, wrong), return_exceptions=True)
        assert [type(error) for error in said] == [Unreachable] * len(wrong)
        for error, sentence in zip(said, wrong.values(), strict=True):
            assert sentence in str(error)


async def test_something_else_that_listens_on_the_port_is_called_that() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")

    server = await asyncio.start_server(greet, "127.0.0.1", 0, family=socket.AF_INET)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unreachable, match="is it the right port"):
            await _enter(f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["h1:3010", "10.0.0.1", "", "http://10.0.0.1:3010"])
def test_what_is_no_address_is_refused_at_once(address: str) -> None:
    async def make() -> None:
        Client([address])

    with pytest.raises(BadAddress, match=r"like 10\.0\.0\.1:3010"):
        asyncio.run(make())


async def _enter(router: str) -> None:
    async with Client([router], limits=IMPATIENT):
        pass


async def _heard_of(client: Client, term: int, primary: str = "") -> None:
    await _until_told(lambda: client.route.term == term and primary in ("", client.route.primary))


async def _until_told(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  the client tells nobody
            await asyncio.sleep(0.005)
