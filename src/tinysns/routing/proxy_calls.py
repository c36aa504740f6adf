"""Unary calls of course clients, passed on until a master answers: these clients make no second try of their own.

A call is tried until its deadline, or for `hold_seconds` if it has none. A write keeps its id over all tries; it gets a
new one only when the old one was certainly not executed. What is no answer of the service (a connection that ends, a
master that does not serve) leads to the next master; all else is passed back as it came, details included.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import grpc

from tinysns.client.links import Link
from tinysns.client.masters import Masters
from tinysns.client.retrying import ask_masters
from tinysns.domain.writes import Outcome
from tinysns.routing.proxy_sessions import CallIds
from tinysns.rpc.call_id import BadCallId, CallId
from tinysns.rpc.errors import abort, info
from tinysns.rpc.raw import Context

T = TypeVar("T")

# Of one try without an answer. A healthy master needs some ms, and a retry with the same id does no harm.
TRY_SECONDS = 0.2

STATUS_DETAILS = "grpc-status-details-bin"
# How gRPC reports a connection that ended, besides UNAVAILABLE, which a master also says itself.
LOST = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
)


class Tries:
    """What the tries of one call have come to. This one is of a call that changes nothing."""

    in_doubt = False
    """Whether a try may have had an effect, or may still have one."""

    def __init__(self) -> None:
        self.trouble = ""  # what the last one said

    def final(self, error: grpc.aio.AioRpcError) -> Exception | None:
        """For ask_masters."""
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:  # of the try, not of the call
            self.trouble = "the last one asked said nothing"
            return None
        self.trouble = error.details() or error.code().name
        return None if error.code() in LOST else error


class UnaryProxy:
    """Passes on calls of one message each way."""

    def __init__(self, masters: Masters, ids: CallIds, hold_seconds: float) -> None:
        self._masters = masters
        self._ids = ids
        self._hold_seconds = hold_seconds

    async def read(self, method: str, raw: bytes, context: Context) -> bytes:
        """`method`: "/package.Service/Name"."""

        async def ask(link: Link, seconds: float) -> bytes:
            return await _on(link, method)(raw, timeout=seconds)

        return await ask_in_time(context, self._masters, self._hold_seconds, ask, Tries())

    async def write(self, method: str, raw: bytes, context: Context) -> bytes:
        """`method`: "/package.Service/Name". A caller that has given its call an id keeps it."""
        try:
            given = CallId.from_metadata(context.invocation_metadata())
        except BadCallId as e:
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "BAD_ID", str(e))
        tries = _Writing(given or self._ids.take(), None if given else self._ids.fresh)

        async def ask(link: Link, seconds: float) -> bytes:
            return await _on(link, method)(raw, timeout=seconds, metadata=tries.next_id().to_metadata())

        reply = await ask_in_time(context, self._masters, self._hold_seconds, ask, tries)
        if given is None:
            self._ids.answered(tries.id)
        return reply


class _Writing(Tries):
    """The tries of one write. `fresh_id`: None if the id is the caller's, who then decides himself what is next."""

    def __init__(self, call_id: CallId, fresh_id: Callable[[], CallId] | None) -> None:
        super().__init__()
        self.id = call_id
        self._fresh_id = fresh_id
        self._with_this_id = 0
        self._was_in_doubt = False

    def next_id(self) -> CallId:
        """A try begins."""
        self._with_this_id += 1
        self._was_in_doubt, self.in_doubt = self.in_doubt, True
        return self.id

    def final(self, error: grpc.aio.AioRpcError) -> Exception | None:
        reason, definite = info(error)
        # Its predecessor was refused before it came to a number, and nobody will ever bring it: a gap for ever.
        never = reason == Outcome.GAP.name
        # Only of the first try: an earlier one may have been executed before the session was forgotten.
        not_executed = never or (reason == Outcome.SESSION_EXPIRED.name and self._with_this_id == 1)
        if definite or not_executed:
            self.in_doubt = self._was_in_doubt and not never
        if not_executed and self._fresh_id is not None:
            self.id, self._with_this_id = self._fresh_id(), 0
            return None
        return super().final(error)


def _on(link: Link, method: str) -> "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]":
    return link.channel.unary_unary(method)


async def ask_in_time(
    context: Context,
    masters: Masters,
    hold_seconds: float,
    ask: Callable[[Link, float], Awaitable[T]],
    tries: Tries,
    first: str = "",
) -> T:
    """ask_masters for the caller of `context`, whose call ends here if no master answers it with a reply."""
    remaining_seconds: float | None = context.time_remaining()
    if remaining_seconds is None:
        limit_seconds, code = hold_seconds, grpc.StatusCode.UNAVAILABLE
    else:
        limit_seconds, code = remaining_seconds, grpc.StatusCode.DEADLINE_EXCEEDED
    try:
        async with asyncio.timeout(limit_seconds):
            return await ask_masters(masters, TRY_SECONDS, ask, tries.final, first)
    except TimeoutError:
        because = f" ({tries.trouble})" if tries.trouble else ""
        effect = "it may have taken effect all the same" if tries.in_doubt else "it had no effect; try again"
        sentence = f"no master has answered this call within {limit_seconds:.3g} s{because}; {effect}"
        await abort(context, code, "NO_MASTER", sentence, definite=not tries.in_doubt)
    except grpc.aio.AioRpcError as e:
        await pass_on(context, e)


async def pass_on(context: Context, error: grpc.aio.AioRpcError) -> NoReturn:
    """Ends the call as the master ended it, with the details that it gave."""
    trailing = tuple(
        (key, value)
        for key, value in error.trailing_metadata() or ()
        if not key.startswith("grpc-") or key == STATUS_DETAILS  # the others are of the connection, not of the call
    )
    await context.abort(error.code(), error.details() or "", trailing)
    raise AssertionError("abort does not return")
