"""Deputy routers, with real processes: with the router dead, nobody is kept out, and nobody who is in notices."""

import asyncio
import socket
from collections.abc import Callable, Iterable

import grpc
import pytest

from tests.integration.service import Service, until
from tests.integration.traffic import Traffic
from tinysns.client import Client
from tinysns.client.status import cluster_status
from tinysns.wire.csce438 import sns_pb2, sns_pb2_grpc

pytestmark = pytest.mark.timeout(600)


async def everybody_names(service: Service, routers: Iterable[str], leader: str) -> None:
    """Returns once these routers send clients to this leader first."""

    async def agreed() -> bool:
        routes = await asyncio.gather(*(service.route(router) for router in routers))
        return all(r is not None and r.primary == r.leader == service.masters[leader] for r in routes)

    await until(agreed, f"the routers {', '.join(routers)} send clients to {leader}")


async def test_every_router_says_the_same_and_knows_the_others(service: Service) -> None:
    await service.ready()
    routes = [await service.route(router) for router in service.routers]
    assert all(route == routes[0] for route in routes)
    assert tuple(routes[0].routers) == service.routers


async def test_new_clients_get_in_through_deputies_while_connected_ones_notice_nothing(service: Service) -> None:
    async with Traffic(service) as traffic:
        await traffic.goes_on()
        service.kill("router")
        async with service.client() as newcomer:  # one that knows all routers
            assert traffic.author in (await newcomer.list(traffic.reader)).following
        for deputy in service.deputies.values():  # and some that know only one
            async with Client([deputy]) as newcomer:
                assert newcomer.route.routers == service.routers
                await newcomer.session().login("carl")
        await traffic.goes_on()


async def test_deputies_alone_follow_a_failover(service: Service) -> None:
    await service.ready()
    leader = await service.leader()
    deputies = service.deputies.values()
    await everybody_names(service, deputies, leader)
    service.kill("router")
    service.kill_master(leader)
    new_leader = await service.leader()
    await everybody_names(service, deputies, new_leader)
    service.revive("router")
    await everybody_names(service, service.routers, new_leader)


async def test_a_course_client_may_take_a_deputy_for_the_server(service: Service) -> None:
    await service.ready()
    service.kill("router")
    for deputy in service.deputies.values():
        async with grpc.aio.insecure_channel(deputy) as channel:
            reply = await sns_pb2_grpc.SNSServiceStub(channel).Login(sns_pb2.Request(username="dora"), timeout=60)
            assert reply.msg in ("Login Successful!", "Welcome Back dora")


async def test_status_needs_one_router_to_find_all(service: Service) -> None:
    await service.ready()
    status = await cluster_status([service.deputies["h3"]])
    assert [r.address for r in status.routers] == [service.router]
    assert {d.name: d.address for d in status.deputies} == service.deputies
    service.kill("router")
    status = await cluster_status([service.deputies["h3"]])
    assert f"the router {service.router} does not answer: nothing listens there" in status.troubles()
    assert not [d for d in status.deputies if d.unreachable]


async def test_a_taken_port_is_said_once_and_costs_the_master_nothing(make_service: Callable[..., Service]) -> None:
    service = make_service(3)
    host, _, port = service.deputies["h2"].rpartition(":")
    taken = socket.create_server((host, int(port)))
    with taken:
        service.start()
        await service.leader()
        log = service.folder / "h2.log"

        async def said() -> bool:
            return "there is no deputy router on this host" in log.read_text()

        await until(said, "the slave says that the port is taken")
        service.kill_master("h2")
        await service.leader()  # its master is watched and replaced all the same
    await service.ready()
    assert log.read_text().count("there is no deputy router on this host: cannot listen on") == 1
