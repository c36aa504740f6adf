"""What every call of the service does the same way: wait no longer than it may, and fail with a clear error."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import grpc

from tinysns.domain.names import Refused
from tinysns.replication.interface import NotServing, Overloaded
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
    except Overloaded as e:  # of a call's only write; a stream may have others under way, see `overloaded`
        await abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", str(e))
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
        raise held_for(hold_seconds) from None


def overloaded(error: Overloaded) -> CallFailed:
    """For a stream: one of its writes was refused, but what it brought before or behind that may have an effect."""
    return CallFailed(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", str(error))


def held_for(seconds: float) -> NotServing:
    """A call has waited for as long as it may."""
    return NotServing(f"no leader could be reached for {seconds:g} s; try again, on another master if you know one")


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
