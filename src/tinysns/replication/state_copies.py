"""State copies: a member whose log ends before the others' logs begin gets the whole SQLite file from one of them.

The receiver stages the file and fsyncs it, installs it, and only then tells the native member, which writes raft's
snapshot record (ARCHITECTURE.md, rules 4 and 5). A crash in between leaves a state that is ahead of the log, which is
allowed for an installed one: what it holds was committed, and the log catches up to it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

import grpc

from tinysns.rpc.channels import open_channel
from tinysns.storage.copies import Staged, Staging
from tinysns.storage.schema import StateError
from tinysns.wire.v1 import master_pb2 as pb
from tinysns.wire.v1 import master_pb2_grpc as services

log = logging.getLogger(__name__)

RETRY_SECONDS = 0.2
CHUNK_DEADLINE_SECONDS = 10.0  # between two chunks


async def fetch(
    masters: Sequence[str], cluster_id: str, at_least_index: int, new_staging: Callable[[], Staging]
) -> Staged:
    """A staged copy at or behind `at_least_index`, from the first of these addresses that gives one; tries for ever."""
    while True:
        for address in masters:
            staging = await asyncio.to_thread(new_staging)
            try:
                return await _fetch_from(address, cluster_id, at_least_index, staging)
            except (grpc.aio.AioRpcError, TimeoutError, StateError) as e:
                why = e.details() if isinstance(e, grpc.aio.AioRpcError) else e
                log.warning("no state from %s: %s", address, why)
                await asyncio.to_thread(staging.discard)
        await asyncio.sleep(RETRY_SECONDS)


async def _fetch_from(address: str, cluster_id: str, at_least_index: int, staging: Staging) -> Staged:
    async with open_channel(address) as channel:
        request = pb.FetchStateRequest(cluster_id=cluster_id, at_least_index=at_least_index)
        call = services.MasterStub(channel).FetchState(request)
        applied_index = received = size = 0
        while True:
            async with asyncio.timeout(CHUNK_DEADLINE_SECONDS):
                chunk = await call.read()
            if chunk is grpc.aio.EOF:
                break
            applied_index = applied_index or chunk.applied_index
            size = size or chunk.size_bytes
            received += len(chunk.data)
            await asyncio.to_thread(staging.write, chunk.data)
    if received != size or applied_index < at_least_index:
        raise StateError(f"{received} of {size} bytes at index {applied_index}, needed is {at_least_index}")
    log.info("state at index %d (%d bytes) received from %s", applied_index, size, address)
    return await asyncio.to_thread(staging.finish, applied_index)
