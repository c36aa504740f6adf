"""The reference client against real processes that are stopped (SIGSTOP), which no connection's end gives away."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager

import pytest

from tests.integration.service import FORGIVING, Service, until
from tinysns.client import Client, CursorAhead, routes
from tinysns.client.status import hand_over

pytestmark = pytest.mark.timeout(600)

# The slave of a stopped master kills it only after that, so that here the client is on its own.
PATIENT = "silence_seconds = 600.0"


@pytest.fixture(scope="module")
def _patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("patient"), 3, slave_settings=PATIENT, run_slave=FORGIVING)
    yield service
    service.end()


@pytest.fixture
def patient(_patient: Service) -> Service:
    """The same for all tests."""
    _patient.start()
    return _patient


@pytest.fixture(params=["available", "balanced"])
def under_each_policy(request: pytest.FixtureRequest, make_service: Callable[..., Service]) -> Service:
    if request.param == "available":
        return request.getfixturevalue("patient")
    service = make_service(3, slave_settings=PATIENT, policy=request.param)
    service.start()
    return service


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_session_goes_on_when_its_master_stops_amid_writes_that_it_does_not_take(
    under_each_policy: Service,
) -> None:
    service = under_each_policy
    await service.ready()
    async with service.client() as client, aclosing(client.timeline("bob")) as posts:
        session = client.session()
        await session.login("ann")
        await session.login("bob")
        await session.follow("bob", "ann")
        name = next(n for n, address in service.masters.items() if address == session.master)
        texts = [f"{n} " + "x" * 60_000 for n in range(200)]  # 12 MB: far more than gRPC and the kernel hold
        posting = asyncio.ensure_future(session.post_all("ann", texts))
        received = [(await anext(posts)).text]  # so it is under way
        with stopped(service.master_pid(name)):
            assert await posting == len(texts)
            assert session.master != service.masters[name]
            received += [(await anext(posts)).text for _ in texts[1:]]
            assert received == texts


async def test_a_timeline_goes_on_when_its_master_stops(patient: Service) -> None:
    await patient.ready()
    async with patient.client() as client:
        session = client.session()
        await session.login("cem")
        await session.login("dan")
        await session.follow("dan", "cem")
        async with aclosing(client.timeline("dan")) as posts:
            await session.post("cem", ["before"])
            assert (await anext(posts)).text == "before"
            name = await patient.leader()
            with stopped(patient.master_pid(name)):
                await session.post("cem", ["after"])
                assert (await asyncio.wait_for(anext(posts), 60)).text == "after"


async def test_a_stopped_router_is_left_for_one_that_tells_of_changes(patient: Service) -> None:
    await patient.ready()
    async with patient.client() as client:
        with stopped(patient.pid("router")):
            leader = await patient.leader()
            patient.kill_master(leader)

            async def told() -> bool:
                return client.route.leader not in ("", patient.masters[leader])

            await until(told, "the client hears of the next leader from a deputy")


async def test_new_clients_do_not_wait_for_a_router_that_is_down(
    patient: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "_ANSWER_SECONDS", 3600.0)  # asked one after the other, a silent one costs that
    await patient.ready()
    for how in (signal.SIGSTOP, signal.SIGKILL):
        os.kill(patient.pid("router"), how)
    async with patient.client() as client:
        assert client.route.routers == patient.routers


async def test_after_the_cluster_was_founded_again_clients_need_no_restart(patient: Service) -> None:
    await patient.ready()
    async with patient.client() as client:
        session = client.session()
        await session.login("ann")
        for _ in range(3):  # terms that the next cluster takes a while to reach
            await hand_over(patient.masters[await patient.leader()])
        await until(lambda: _knows_the_leader(client, patient), "the client knows the leader")
        old_term = client.route.term
        patient.end()
        for name in patient.names:
            (patient.folder / name / "data").rename(patient.folder / name / "old")
            (patient.folder / name / "data").mkdir()
        patient.start()
        await patient.ready()
        await session.login("eve")
        await until(lambda: _knows_the_leader(client, patient), "the client knows the leader of the new cluster")
        assert client.route.term < old_term
        assert (await client.list("eve")).users == ("eve",)
        with pytest.raises(CursorAhead, match="begin again from 0"):
            await client.history("eve", 1 << 50)  # of an old and long cluster


async def _knows_the_leader(client: Client, service: Service) -> bool:
    return client.route.leader == service.masters[await service.leader()]
