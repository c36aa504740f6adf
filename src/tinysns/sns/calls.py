"""What every call of the service does the same way: parse, wait no longer than it may, and fail with a clear error."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from tinysns.domain.names import Refused
from tinysns.replication.interface import NotServing, Overloaded
from tinysns.rpc.channels import MAX_MESSAGE_BYTES
from tinysns.rpc.errors import abort
from tinysns.rpc.raw import Context

M = TypeVar("M", bound=Message)


class CallFailed(Exception):
    """The call ends with this status; `reason` is for programs, str() is the one sentence for people."""

    def __init__(self, code: grpc.StatusCode, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.reason = reason


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


def parse(kind: type[M], data: bytes) -> M:
    """The message in these bytes. Raises CallFailed."""
    try:
        return kind.FromString(data)
    except DecodeError:
        raise CallFailed(
            grpc.StatusCode.INVALID_ARGUMENT,
            "BROKEN_MESSAGE",
            f"what was sent is not a {kind.DESCRIPTOR.full_name} whose texts are valid UTF-8; send UTF-8, with stubs"
            " made from the service's own proto file",
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
