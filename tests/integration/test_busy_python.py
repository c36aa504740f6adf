"""A leader whose Python stands still leads on: consensus has threads of its own (design: the native member)."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.integration.dying import mortal_service
from tests.integration.faulty_master import STILL_SECONDS
from tests.integration.signpost import Signpost
from tinysns.client import Client, Limits

pytestmark = pytest.mark.timeout(600)

PATIENT = Limits(try_seconds=10.0, deadline_seconds=30.0)  # the answers are to come from the standby that was asked


async def test_other_masters_serve_as_if_nothing_had_happened(tmp_path: Path) -> None:
    with mortal_service(tmp_path) as service:
        await service.ready()
        leader = await service.leader()
        standbys = [address for name, address in service.masters.items() if name != leader]
        before = [await service.master_status(name) for name in service.names]
        async with Signpost(standbys) as signpost, Client([signpost.address], limits=PATIENT) as client:
            session = client.session()
            await session.login("ann")
            os.kill(service.master_pid(leader), signal.SIGUSR2)
            answer = asyncio.ensure_future(service.master_status(leader))  # within a second, or none
            began, waits = time.monotonic(), []
            while time.monotonic() - began < 0.75 * STILL_SECONDS:
                asked = time.monotonic()
                await session.post("ann", ["still here"])
                waits.append(time.monotonic() - asked)
            assert await answer is None, "its Python stands still"
        assert await service.leader() == leader
        after = [await service.master_status(name) for name in service.names]
        assert {s.term for s in after} == {s.term for s in before}, "nobody was elected"
        assert {s.pid for s in after} == {s.pid for s in before}, "nobody was killed"
        assert max(waits) < 0.5 * STILL_SECONDS
