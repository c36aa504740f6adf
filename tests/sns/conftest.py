"""A running master for tests of the service."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.sns.support import Member, members


@pytest_asyncio.fixture
async def master(tmp_path: Path) -> AsyncIterator[Member]:
    async with members(tmp_path) as (member,):
        yield member
