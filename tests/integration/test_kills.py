"""SIGKILL of each kind of process, while a client posts and another one reads."""

import asyncio
import os
import signal

import pytest

from tests.integration.service import Service, until
from tests.integration.traffic import Traffic

pytestmark = pytest.mark.timeout(600)


async def test_kills_of_the_available_master_lose_and_double_nothing(service: Service) -> None:
    async with Traffic(service) as traffic:
        for _ in range(3):
            await traffic.goes_on()
            leader = await service.leader()
            before = await service.master_status(leader)
            service.kill_master(leader)
            await traffic.goes_on()
            new_leader = await service.leader()
            after = await service.master_status(leader)
            leading = await service.master_status(new_leader)
            assert after.pid != before.pid
            assert after.incarnation == before.incarnation + 1
            assert leading.term > before.term


async def test_kills_of_standbys_are_not_an_outage(service: Service) -> None:
    async with Traffic(service) as traffic:
        leader = await service.leader()
        term = (await service.master_status(leader)).term
        for name in service.names:
            if name != leader:
                service.kill_master(name)
                await traffic.goes_on()
                await service.leader()
        assert (await service.master_status(leader)).term == term


async def test_a_master_survives_its_slave_and_the_next_slave_restarts_it(service: Service) -> None:
    async with Traffic(service) as traffic:
        leader = await service.leader()
        before = await service.master_status(leader)
        service.kill(leader)
        await traffic.goes_on()
        service.revive(leader)
        await traffic.goes_on()
        after = await service.master_status(leader)
        assert (after.pid, after.incarnation, after.term) == (before.pid, before.incarnation, before.term)
        service.kill_master(leader)

        async def restarted() -> bool:
            status = await service.master_status(leader)
            return status is not None and status.incarnation == before.incarnation + 1 and status.serving

        await until(restarted, "the new slave restarts the master that it had adopted")


async def test_the_death_of_the_router_is_not_noticed_by_connected_clients(service: Service) -> None:
    async with Traffic(service) as traffic:
        await traffic.goes_on()
        service.kill("router")
        await traffic.goes_on(100)
        service.kill_master(await service.leader())  # not even with a failover meanwhile
        await traffic.goes_on(100)
        service.revive("router")
        await traffic.goes_on()
        async with service.client() as newcomer:
            assert traffic.author in (await newcomer.list(traffic.reader)).following


@pytest.mark.parametrize("of", ["the leader", "a standby"])
async def test_a_hung_master_is_replaced(service: Service, of: str) -> None:
    async with Traffic(service) as traffic:
        leader = await service.leader()
        hung = leader if of == "the leader" else next(n for n in service.names if n != leader)
        pid = service.master_pid(hung)
        os.kill(pid, signal.SIGSTOP)
        await traffic.goes_on(100)

        async def replaced() -> bool:
            status = await service.master_status(hung)
            return status is not None and status.pid != pid and status.serving

        await until(replaced, "the hung master was killed and replaced")
        await traffic.goes_on()


async def test_an_orderly_stop_takes_the_master_along_and_hands_leadership_over(service: Service) -> None:
    async with Traffic(service) as traffic:
        leader = await service.leader()
        pid = service.master_pid(leader)
        status = await asyncio.to_thread(service.stop_slave, leader)
        assert status == 0
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        await traffic.goes_on()
        service.revive(leader)
        await service.leader()


async def test_a_killed_quorum_comes_back_by_itself_with_everything(service: Service) -> None:
    async with Traffic(service) as traffic:
        await traffic.goes_on()
        for name in service.names:
            service.kill_master(name)
        await traffic.goes_on()
