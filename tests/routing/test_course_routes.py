"""What the routing calls of the course's families answer, from the routing table alone, in their own wire form."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import grpc
import pytest

from tests.sns.support import failure
from tinysns.routing.course_routes import CALLS, CourseRouting
from tinysns.routing.servicer import RouterService, Routing, Self
from tinysns.rpc.errors import info
from tinysns.runtime.settings import MASTER, PROXY
from tinysns.wire.csce438 import coordinator_pb2, sns_pb2
from tinysns.wire.csce438 import router_pb2 as csce438_router_pb2
from tinysns.wire.csce662 import coordinator_pb2 as coordinator662_pb2
from tinysns.wire.hw2 import master_pb2
from tinysns.wire.tsnsr import router_pb2 as tsnsr_pb2
from tinysns.wire.v1 import router_pb2

ROUTERS = ("10.0.0.1:3010", "10.0.0.2:3010", "10.0.0.3:3010")
COORDINATORS = ("csce438.CoordService", "csce662.CoordService")


class Served:
    """A router with so many masters: the second one leads."""

    def __init__(self, channel: grpc.aio.Channel, routing: Routing) -> None:
        self.channel, self.routing = channel, routing

    async def ask(self, path: str, raw: bytes = b"") -> bytes:
        return await self.channel.unary_unary(path)(raw, timeout=10)


@asynccontextmanager
async def served(masters: int = 3, to: str = PROXY, listen: str = ROUTERS[1]) -> AsyncIterator[Served]:
    routing = Routing(Self("h2", ROUTERS, "available", 0, listen if to == PROXY else ""), 60.0, Random(1))
    for rank in range(1, masters + 1):
        state = router_pb2.MasterState(name=f"h{rank}", incarnation=1, serving=True, rank=rank, term=1)
        state.leader = "10.0.0.2:3011"
        routing.heard(router_pb2.Message(text=f"10.0.0.{rank}:3011", state=state), rank)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(CourseRouting(routing, RouterService(routing)).handlers())
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Served(channel, routing)
    await server.stop(0)


@pytest.mark.parametrize(
    ("to", "first", "second"),
    [(PROXY, "10.0.0.2:3010", "10.0.0.3:3010"), (MASTER, "10.0.0.2:3011", "10.0.0.1:3011")],
)
async def test_every_family_is_sent_to_the_same_server(to: str, first: str, second: str) -> None:
    async with served(to=to) as router:
        found = tsnsr_pb2.Response.FromString(await router.ask("/tsnsr.snsRoute/GetAvailable"))
        assert (found.result, found.msg) == (tsnsr_pb2.Response.SUCCESS, first)
        both = sns_pb2.Reply.FromString(await router.ask("/csce438.SNSRouter/GetConnectInfo"))
        assert both.msg == f"{first},{second}"
        reply = master_pb2.ConnectionReply.FromString(await router.ask("/hw2.MasterServer/ConnectionPoint"))
        assert reply.location == first
        for service in COORDINATORS:
            raw = await router.ask(f"/{service}/GetServer", coordinator_pb2.ID(id=7).SerializeToString())
            server = coordinator_pb2.ServerInfo.FromString(raw)
            assert (f"{server.hostname}:{server.port}", server.serverID, server.type) == (first, 1, "master")


async def test_what_a_client_asks_with_matters_to_nobody() -> None:
    async with served() as router:
        for request in (b"", b"\xff\xff", b"\x0a\x03ann"):
            assert await router.ask("/csce438.SNSRouter/GetConnectInfo", request)


async def test_the_next_endpoint_after_the_last_router_is_the_first_one() -> None:
    async with served(listen=ROUTERS[-1]) as router:
        both = sns_pb2.Reply.FromString(await router.ask("/csce438.SNSRouter/GetConnectInfo"))
        assert both.msg == f"{ROUTERS[-1]},{ROUTERS[0]}"


async def test_the_only_endpoint_is_given_twice() -> None:
    async with served(masters=1, to=MASTER) as router:
        both = sns_pb2.Reply.FromString(await router.ask("/csce438.SNSRouter/GetConnectInfo"))
        assert both.msg == "10.0.0.1:3011,10.0.0.1:3011"


@pytest.mark.parametrize("to", [PROXY, MASTER])
async def test_before_the_first_master_a_client_is_told(to: str) -> None:
    async with served(masters=0, to=to) as router:
        found = tsnsr_pb2.Response.FromString(await router.ask("/tsnsr.snsRoute/GetAvailable"))
        assert (found.result, found.msg) == (tsnsr_pb2.Response.FAILURE, "")
        error = await failure(router.channel.unary_unary("/csce438.CoordService/GetServer")(b"", timeout=10))
        assert (error.code(), info(error)) == (grpc.StatusCode.UNAVAILABLE, ("NO_MASTER", True))
        assert "no master has reported yet" in error.details()


async def test_without_a_master_that_is_connected_a_client_waits_at_the_proxy() -> None:
    async with served(masters=1) as router:
        router.routing.table.ended("10.0.0.1:3011", 1, 1.0)
        found = tsnsr_pb2.Response.FromString(await router.ask("/tsnsr.snsRoute/GetAvailable"))
        assert found.msg == ROUTERS[1]


async def test_a_master_that_says_that_it_exists_is_in_the_table() -> None:
    async with served(masters=0, to=MASTER) as router:
        raw = tsnsr_pb2.Message(text="10.0.0.9:3011").SerializeToString()
        added = tsnsr_pb2.Response.FromString(await router.ask("/tsnsr.snsRoute/AddMaster", raw))
        assert (added.result, added.msg) == (tsnsr_pb2.Response.SUCCESS, "10.0.0.9:3011")
        found = tsnsr_pb2.Response.FromString(await router.ask("/tsnsr.snsRoute/GetAvailable"))
        assert found.msg == "10.0.0.9:3011"


@pytest.mark.parametrize("service", COORDINATORS)
async def test_a_heartbeat_says_that_a_server_exists(service: str) -> None:
    async with served(masters=0, to=MASTER) as router:
        own = coordinator_pb2.ServerInfo(serverID=1, hostname="10.0.0.9", port="3011", type="master")
        for info_of in (own, coordinator_pb2.ServerInfo(serverID=1)):  # the second one gives no address
            raw = await router.ask(f"/{service}/Heartbeat", info_of.SerializeToString())
            assert coordinator_pb2.Confirmation.FromString(raw).status
        assert [known.report.address for known in router.routing.table.known()] == ["10.0.0.9:3011"]


@pytest.mark.parametrize(
    ("path", "raw", "reason"),
    [
        ("/tsnsr.snsRoute/AddMaster", tsnsr_pb2.Message(text="3011").SerializeToString(), "BAD_ADDRESS"),
        ("/tsnsr.snsRoute/AddMaster", b"\xff\xff", "BROKEN_MESSAGE"),
        (
            "/csce438.CoordService/Heartbeat",
            coordinator_pb2.ServerInfo(hostname="localhost", port="3011").SerializeToString(),
            "BAD_ADDRESS",
        ),
    ],
)
async def test_who_gives_no_address_is_refused_in_words(path: str, raw: bytes, reason: str) -> None:
    async with served() as router:
        error = await failure(router.channel.unary_unary(path)(raw, timeout=10))
        assert (error.code(), info(error)) == (grpc.StatusCode.INVALID_ARGUMENT, (reason, True))


async def test_a_ping_stream_holds_a_master_in_the_table_until_it_ends() -> None:
    async with served(masters=0) as router:
        call = router.channel.stream_stream("/tsnsr.snsRoute/DualPing")(timeout=10)
        raw = tsnsr_pb2.Message(text="10.0.0.9:3011").SerializeToString()
        await call.write(raw)
        assert await call.read() == raw, "it is the Available one, and the answer is who that is"
        assert router.routing.available() == "10.0.0.9:3011"
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert router.routing.available() == ""


def test_the_table_has_all_calls_of_the_proto_files() -> None:
    files = (tsnsr_pb2, csce438_router_pb2, coordinator_pb2, coordinator662_pb2, master_pb2)
    services = [service for file in files for service in file.DESCRIPTOR.services_by_name.values()]
    assert set(CALLS) == {(service.full_name, method.name) for service in services for method in service.methods}
