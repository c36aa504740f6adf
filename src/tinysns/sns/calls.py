"""What every call of the service does the same way: wait no longer than it may, and fail with a clear error."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import grpc

from tinysns.domain.names import Refused
from tinysns.replication.interface import NotServing
from tinysns.rpc.channels import MAX_MESSAGE_BYTES
from tinysns.rpc.errors import CallFailed, abort
from tinysns.rpc.raw import Context


@asynccontextmanager
async def errors_answered(context: Context, *, definite: bool) -> AsyncIterator[None]:
    """Ends the call with the right status for whatever is raised inside. `definite`: it had no effect then."""
    try:
        yield
    except NotServing as e:
        await abort(context, grpc.StatusCode.UNAVAILABLE, "NOT_SERVING", str(e), definite=definite)
    except Refused as e:
        await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "REFUSED", str(e), definite=definite)
    except CallFailed as e:
        await abort(context, e.code, e.reason, str(e), definite=definite)


@asynccontextmanager
async def held(context: Context, hold_seconds: float) -> AsyncIterator[None]:
    """What waits inside may do so until the call's deadline, or for `hold_seconds` if it has none; then NotServing."""
    limit = hold_seconds if context.time_remaining() is None else None
    try:
        async with asyncio.timeout(limit):
            yield
    except TimeoutError:
        raise NotServing(
            f"no leader could be reached for {hold_seconds:g} s; try again, on another master if you know one"
        ) from None


def fitting(answer: bytes | None) -> bytes:
    """The answer itself. Raises CallFailed if it is None or longer than a message may be."""
    if answer is None or len(answer) > MAX_MESSAGE_BYTES:
        raise CallFailed(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "TOO_LONG",
            f"the answer does not fit into a message of {MAX_MESSAGE_BYTES} bytes: there are too many users and follows"
            " for this call; read them from the state of a master",
        )
    return answer


async def until_first_fails(*work: Coroutine[Any, Any, None]) -> None:
    """Runs all of these at once to their ends, or until one of them raises; the others have ended then, too."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in work:
                group.create_task(coroutine)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def until_first_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Runs all of these at once until one of them returns or raises; the others are cancelled, and have ended then."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
