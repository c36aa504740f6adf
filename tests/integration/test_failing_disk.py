"""A master whose disk fails ends at once, and is no danger to what was acknowledged (ARCHITECTURE.md, rule 8)."""

from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from tests.integration.service import FORGIVING, Service, until
from tests.integration.traffic import Traffic
from tests.replication.bad_disks import failing_disk
from tinysns.wire.v1 import master_pb2, master_pb2_grpc, slave_pb2, slave_pb2_grpc

pytestmark = pytest.mark.timeout(600)


async def test_the_leader_ends_the_others_go_on_and_it_comes_back_with_everything(
    tmp_path: Path, make_service: Callable[..., Service]
) -> None:
    service = make_service(3, run_slave=FORGIVING)  # until the disk is healed it is started again and again
    with failing_disk(tmp_path, tmp_path / "h1/data") as disk:
        try:
            service.start()
            await service.ready()
            await lead(service, "h1")
            async with Traffic(service) as traffic:
                await traffic.goes_on()
                before = await service.master_status("h1")
                disk.fail()
                await until(lambda: ended(service, "h1", before.pid), "the master ends by itself")
                await traffic.goes_on()
                disk.heal()
                await traffic.goes_on()
        finally:
            service.end()  # before its disk is taken away


async def lead(service: Service, name: str) -> None:
    """Moves leadership there."""

    async def leads() -> bool:
        leader = await service.leader()
        if leader != name:
            async with grpc.aio.insecure_channel(service.masters[leader]) as channel:
                await master_pb2_grpc.MasterStub(channel).HandOver(master_pb2.HandOverRequest(), timeout=5)
        return leader == name

    await until(leads, f"{name} leads")


async def ended(service: Service, name: str, pid: int) -> bool:
    """Whether the slave has seen the end of this master, by its own hand."""
    async with grpc.aio.insecure_channel(service.slaves[name]) as channel:
        status = await slave_pb2_grpc.SlaveStub(channel).GetStatus(slave_pb2.SlaveStatusRequest(), timeout=5)
    if status.master_pid == pid:
        return False
    assert status.last_exit in ("killed by SIGABRT", "exit status 70")
    return True
