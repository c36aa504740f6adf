"""A real router on loopback: what masters, slaves and clients see of it."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import grpc
import pytest

from tests.slave.support import environment, free_ports
from tinysns.master.reporting import RouterLink
from tinysns.rpc.channels import open_channel
from tinysns.wire.v1 import router_pb2 as pb
from tinysns.wire.v1 import router_pb2_grpc, slave_pb2, slave_pb2_grpc

T = TypeVar("T")

WITHIN_SECONDS = 10.0


class RunningRouter:
    """One router process; it can be killed and started again."""

    def __init__(self, folder: Path, *, policy: str = "available", course_clients: str = "master") -> None:
        self.port = free_ports(1)[0]
        self.address = f"127.0.0.1:{self.port}"
        self.config = folder / f"router-{self.port}.toml"
        self.config.write_text(
            f'name = "h1"\nlisten = "{self.address}"\npolicy = "{policy}"\nsilence_seconds = 1.0\n'
            f'course_clients = "{course_clients}"\n'
            f'routers = ["{self.address}", "10.0.0.9:3010"]\n'
            '[[members]]\nname = "h1"\nnode = 1\naddress = "127.0.0.1:1"\nslave = "127.0.0.1:2"\n'
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "tinysns.router", str(self.config)]

    def start(self) -> None:
        self._process = subprocess.Popen(self.command, env=environment())

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        status, self._process = self._process.wait(WITHIN_SECONDS), None
        return status

    async def up(self) -> "RunningRouter":
        """Waits until it answers."""
        async with asyncio.timeout(WITHIN_SECONDS), open_channel(self.address) as channel:
            await router_pb2_grpc.RouterStub(channel).GetMasters(pb.MastersRequest(), wait_for_ready=True)
        return self


@pytest.fixture
def routers(tmp_path: Path) -> Iterator[list[RunningRouter]]:
    """Two of them."""
    running = [RunningRouter(tmp_path) for _ in range(2)]
    for router in running:
        router.start()
    yield running
    for router in running:
        router.end()


@pytest.fixture
def router(tmp_path: Path) -> Iterator[RunningRouter]:
    """Only one."""
    running = RunningRouter(tmp_path)
    running.start()
    yield running
    running.end()


class FakeMaster:
    """A master as routers see it, with the real link."""

    def __init__(self, rank: int, *, leader: int = 0, term: int = 0, cluster_id: str = "c") -> None:
        self.address = f"10.0.0.{rank}:3011"
        self.state = pb.MasterState(
            name=f"h{rank}", incarnation=1, serving=True, cluster_id=cluster_id, rank=rank, open_streams=rank
        )
        self.follow(leader, term)
        self._links: dict[asyncio.Task[None], RouterLink] = {}

    def follow(self, leader: int, term: int) -> None:
        """Believes in this leader from now on; 0: in none."""
        self.state.leader, self.state.term = f"10.0.0.{leader}:3011" if leader else "", term
        for link in getattr(self, "_links", {}).values():
            link.changed()

    def connect(self, router: RunningRouter) -> None:
        link = RouterLink(router.address, lambda: pb.Message(text=self.address, state=self.state))
        self._links[asyncio.create_task(link.run())] = link

    async def disconnect(self) -> None:
        for task in self._links:
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)
        self._links.clear()


@contextlib.asynccontextmanager
async def group(
    *routers: RunningRouter, size: int = 3, leader: int = 1, term: int = 5
) -> AsyncIterator[list[FakeMaster]]:
    """Masters that report to these routers."""
    masters = [FakeMaster(rank, leader=leader, term=term) for rank in range(1, size + 1)]
    for master in masters:
        for router in routers:
            master.connect(router)
    try:
        yield masters
    finally:
        for master in masters:
            await master.disconnect()


@contextlib.asynccontextmanager
async def stub(router: RunningRouter) -> AsyncIterator["router_pb2_grpc.RouterAsyncStub"]:
    async with open_channel(router.address) as channel:
        yield router_pb2_grpc.RouterStub(channel)


class Watcher:
    """A client that watches the route."""

    def __init__(self, call: "grpc.aio.UnaryStreamCall[pb.RouteRequest, pb.Route]") -> None:
        self._call = call

    async def until(self, holds: Callable[[pb.Route], bool]) -> pb.Route:
        async with asyncio.timeout(WITHIN_SECONDS):
            while True:
                route = await self._call.read()
                assert isinstance(route, pb.Route), "the router ended the watch"
                if holds(route):
                    return route


@contextlib.asynccontextmanager
async def watching(router: RunningRouter) -> AsyncIterator[Watcher]:
    await router.up()
    async with stub(router) as s:
        call = s.Watch(pb.RouteRequest())
        yield Watcher(call)
        call.cancel()


async def ask_until_refused(s: "router_pb2_grpc.RouterAsyncStub") -> None:
    """A master's end travels on another connection than the question."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while True:
            await s.GetRoute(pb.RouteRequest(), timeout=5)


def whole(route: pb.Route) -> bool:
    """Three masters, one of which leads."""
    return len(route.backups) == 2 and route.leader != ""


async def test_clients_of_the_course_are_sent_to_this_routers_proxy_and_others_are_not(tmp_path: Path) -> None:
    router = RunningRouter(tmp_path, course_clients="proxy")
    router.start()
    try:
        async with group(router, leader=2), watching(router) as watch, stub(router) as s:
            assert (await watch.until(whole)).primary == "10.0.0.2:3011"
            assert await s.GetAvailable(pb.Message(text="ann"), timeout=5) == pb.Response(msg=router.address)
            assert (await s.GetRoute(pb.RouteRequest(), timeout=5)).primary == "10.0.0.2:3011"
    finally:
        router.end()


async def test_before_the_first_master_it_says_so_and_clients_keep_what_they_have(router: RunningRouter) -> None:
    await router.up()
    async with stub(router) as s:
        with pytest.raises(grpc.aio.AioRpcError, match="no master has reported yet") as refused:
            await s.GetRoute(pb.RouteRequest(), timeout=5)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        nobody = await s.GetAvailable(pb.Message(), timeout=5)
        assert nobody.result == pb.NOT_FOUND


async def test_the_leader_comes_first_and_the_routers_are_told_too(router: RunningRouter) -> None:
    async with group(router, leader=2), watching(router) as watch, stub(router) as s:
        route = await watch.until(whole)
        assert route.primary == route.leader == "10.0.0.2:3011"
        assert list(route.backups) == ["10.0.0.1:3011", "10.0.0.3:3011"]
        assert (route.term, list(route.routers)) == (5, [router.address, "10.0.0.9:3010"])
        assert await s.GetRoute(pb.RouteRequest(), timeout=5) == route
        assert await s.GetAvailable(pb.Message(text="10.0.0.3:3011"), timeout=5) == pb.Response(msg="10.0.0.2:3011")
        known = await s.GetMasters(pb.MastersRequest(), timeout=5)
        assert [(m.state.name, m.connected, m.state.open_streams) for m in known.masters] == [
            ("h1", True, 1), ("h2", True, 2), ("h3", True, 3),
        ]  # fmt: skip


async def test_a_new_leader_is_pushed_at_once(router: RunningRouter) -> None:
    async with group(router) as masters, watching(router) as watch:
        await watch.until(whole)
        elected_at = time.monotonic()
        masters[2].follow(3, 6)
        route = await watch.until(lambda r: r.term == 6)
        assert route.primary == "10.0.0.3:3011"
        assert time.monotonic() - elected_at < 0.2, "milliseconds on a machine that has time"


async def test_the_end_of_a_stream_and_the_return_are_pushed(router: RunningRouter) -> None:
    async with group(router) as masters, watching(router) as watch:
        await watch.until(whole)
        await masters[0].disconnect()
        route = await watch.until(lambda r: r.leader == "")
        assert (route.primary, list(route.backups)) == ("10.0.0.2:3011", ["10.0.0.3:3011"])
        masters[0].connect(router)
        assert (await watch.until(whole)).primary == "10.0.0.1:3011"


async def test_without_a_leader_the_first_in_line_is_named_available(router: RunningRouter) -> None:
    async with group(router, leader=0), watching(router) as watch, stub(router) as s:
        await watch.until(lambda r: len(r.backups) == 2)
        assert await s.GetAvailable(pb.Message(), timeout=5) == pb.Response(msg="10.0.0.1:3011")


async def test_a_master_that_only_gives_its_address_is_offered_too(router: RunningRouter) -> None:
    await router.up()
    async with stub(router) as s:
        assert (await s.AddMaster(pb.Message(text="10.0.0.7:3011"), timeout=5)).result == pb.SUCCESS
        assert (await s.GetRoute(pb.RouteRequest(), timeout=5)).primary == "10.0.0.7:3011"


async def test_masters_of_the_original_kind_have_only_addresses_and_streams(router: RunningRouter) -> None:
    await router.up()
    addresses = ["10.0.0.9:3011", "10.0.0.8:3011", "10.0.0.7:3011"]

    async def available_is(s: "router_pb2_grpc.RouterAsyncStub", address: str, asking: str) -> None:
        async with asyncio.timeout(WITHIN_SECONDS):
            while (await s.GetAvailable(pb.Message(text=asking), timeout=5)).msg != address:
                pass

    async with stub(router) as s:
        streams = []
        for address in addresses:
            assert (await s.AddMaster(pb.Message(text=address), timeout=5)).msg == address
            streams.append(s.DualPing())
            await streams[-1].write(pb.Message(text=address))
            assert (await streams[-1].read()).text == addresses[0], "the first that registered is Available"
        await available_is(s, addresses[0], asking=addresses[1])
        streams[0].cancel()  # it has died
        await available_is(s, addresses[1], asking=addresses[1])
        for stream in streams[1:]:
            stream.cancel()


async def test_no_second_in_line_contradicts_the_consensus_group(router: RunningRouter) -> None:
    async with group(router, leader=3, term=5) as masters, watching(router) as watch, stub(router) as s:
        await watch.until(whole)
        await masters[2].disconnect()
        await watch.until(lambda r: r.leader == "")
        first_live = await s.GetAvailable(pb.Message(), timeout=5)
        assert first_live.msg == masters[0].address, "of those in the list"
        masters[1].follow(2, 6)
        await watch.until(lambda r: r.leader == masters[1].address)
        assert (await s.GetAvailable(pb.Message(), timeout=5)).msg == masters[1].address, "but another one was elected"
        masters[0].follow(1, 5)  # news from an older term
        masters[0].state.open_streams += 1
        assert (await s.GetAvailable(pb.Message(), timeout=5)).msg == masters[1].address


async def test_an_obituary_counts_before_the_stream_ends(router: RunningRouter) -> None:
    async with group(router), watching(router) as watch, open_channel(router.address) as channel:
        await watch.until(whole)
        call = slave_pb2_grpc.ObituariesStub(channel).Announce()
        await call.write(slave_pb2.Obituary(name="h1", node=1))
        await call.write(slave_pb2.Obituary(name="h1", node=1, incarnation=1))
        route = await watch.until(lambda r: r.leader == "")
        assert route.primary == "10.0.0.2:3011"
        await call.done_writing()
        await call


async def test_a_master_that_stops_speaking_is_taken_off(router: RunningRouter) -> None:
    async with group(router), watching(router) as watch, stub(router) as s:
        await watch.until(whole)
        silent = s.DualPing()
        await silent.write(pb.Message(text="10.0.0.4:3011", state=pb.MasterState(name="h4", serving=True, rank=4)))
        assert (await silent.read()).text == "10.0.0.1:3011", "the answer names the Available master"
        await watch.until(lambda r: len(r.backups) == 3)
        await watch.until(lambda r: len(r.backups) == 2)
        silent.cancel()


async def test_when_all_are_gone_watchers_keep_the_last_route_and_new_clients_are_told(router: RunningRouter) -> None:
    async with group(router, size=1) as masters, watching(router) as watch, stub(router) as s:
        await watch.until(lambda r: r.leader != "")
        await masters[0].disconnect()
        with pytest.raises(grpc.aio.AioRpcError, match="no master is connected to this router"):
            await ask_until_refused(s)
        masters[0].state.term = 9
        masters[0].connect(router)
        assert (await watch.until(lambda r: True)).term == 9


async def test_masters_of_another_cluster_are_refused(router: RunningRouter) -> None:
    foreign = FakeMaster(4, cluster_id="other")
    message = pb.Message(text=foreign.address, state=foreign.state)
    async with group(router), watching(router) as watch, stub(router) as s:
        await watch.until(whole)
        refused = await s.AddMaster(message, timeout=5)
        assert refused.result == pb.REFUSED
        assert "is of cluster other, but this router routes for c" in refused.msg
        call = s.DualPing()
        await call.write(message)
        with pytest.raises(grpc.aio.AioRpcError, match="is of cluster other") as error:
            await call.read()
        assert error.value.code() is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("text", ["", "h1:3011", "10.0.0.1"])
async def test_a_bad_address_is_one_sentence(router: RunningRouter, text: str) -> None:
    await router.up()
    async with stub(router) as s:
        with pytest.raises(grpc.aio.AioRpcError, match="like 10") as refused:
            await s.AddMaster(pb.Message(text=text), timeout=5)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        call = s.DualPing()
        await call.write(pb.Message(text=text))
        with pytest.raises(grpc.aio.AioRpcError, match="like 10"):
            await call.read()


async def test_a_killed_router_is_filled_again_by_the_masters(router: RunningRouter) -> None:
    async with group(router):
        async with watching(router) as watch:
            before = await watch.until(whole)
        router.end()
        router.start()
        async with watching(router) as watch:
            assert await watch.until(whole) == before


async def test_two_routers_know_the_same(routers: list[RunningRouter]) -> None:
    async with group(*routers), watching(routers[0]) as one, watching(routers[1]) as two:
        assert (await one.until(whole)).primary == (await two.until(whole)).primary == "10.0.0.1:3011"
        routers[0].end()
        async with stub(routers[1]) as s:
            assert (await s.GetRoute(pb.RouteRequest(), timeout=5)).primary == "10.0.0.1:3011"


async def test_balanced_routes_begin_with_the_least_loaded(tmp_path: Path) -> None:
    router = RunningRouter(tmp_path, policy="balanced")
    router.start()
    try:
        async with group(router, leader=3), stub(await router.up()) as s:
            async with asyncio.timeout(WITHIN_SECONDS):  # no watching here: a watcher counts as a client, too
                while len((await s.GetMasters(pb.MastersRequest())).masters) < 3:
                    pass
            route = await s.GetRoute(pb.RouteRequest(), timeout=5)
            assert (route.primary, route.leader, route.policy) == ("10.0.0.1:3011", "10.0.0.3:3011", "balanced")
            stays = await s.GetRoute(pb.RouteRequest(stay="10.0.0.3:3011"), timeout=5)
            assert stays.primary == "10.0.0.3:3011"
    finally:
        router.end()


async def test_an_orderly_stop_is_quick_although_clients_watch(router: RunningRouter) -> None:
    async with group(router), watching(router) as watch:
        await watch.until(whole)
        asked_at = time.monotonic()
        assert await asyncio.to_thread(router.end, signal.SIGTERM) == 0
        assert time.monotonic() - asked_at < 3.0


def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    router = RunningRouter(tmp_path)
    with socket.create_server(("127.0.0.1", router.port)):
        refused = subprocess.run(router.command, env=environment(), capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    said = [line for line in refused.stderr.splitlines() if line.startswith("router: ")]
    assert len(said) == 1
    assert f"cannot listen on {router.address}" in said[0]


def test_bad_settings_are_one_sentence(tmp_path: Path) -> None:
    router = RunningRouter(tmp_path, policy="fastest")
    refused = subprocess.run(router.command, env=environment(), capture_output=True, text=True, timeout=60)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "policy is 'available' or 'balanced'" in refused.stderr
