"""Writes of clients that know no sessions: named by the relay that brings them, else by this process's own session."""

import grpc

from tinysns.domain.writes import Answer, Command, Outcome, Write
from tinysns.replication.interface import Submitter
from tinysns.rpc.call_id import BadCallId, CallId
from tinysns.rpc.raw import Context
from tinysns.sns.calls import CallFailed, errors_answered, held
from tinysns.sns.own_session import OwnSession


class CourseWrites:
    """Submits writes, for all interfaces of the course."""

    def __init__(self, submitter: Submitter, own: OwnSession, hold_seconds: float) -> None:
        self._submitter = submitter
        self._own = own
        self._hold_seconds = hold_seconds

    async def call(self, context: Context, write: Write) -> Outcome:
        """What came of the write of a unary call. Ends the call if that cannot be known; raises CallFailed."""
        call_id = _call_id(context)
        async with errors_answered(context, definite=False):
            async with held(context, self._hold_seconds):
                if call_id is None:
                    answer = await self._own.submit(write)
                else:
                    answer = await self._submitter.submit(Command(call_id.session, call_id.number, write))
            if answer.outcome is Outcome.SESSION_EXPIRED:
                raise CallFailed(
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "SESSION_EXPIRED",
                    "this session is not known (any more), so an earlier try may have been executed and this one was"
                    " not; begin a new session with number 1",
                )
        if answer.outcome is Outcome.GAP:
            raise CallFailed(
                grpc.StatusCode.FAILED_PRECONDITION,
                "GAP",
                f"not executed: number {answer.expected} is the next one of this session; begin a new session with 1",
            )
        return answer.outcome

    async def post(self, context: Context, write: Write) -> Answer:
        """What came of posts of a stream. Raises NotServing, indefinite, or Overloaded."""
        async with held(context, self._hold_seconds):
            return await self._own.submit(write)
        raise AssertionError("held lets no error disappear")


def _call_id(context: Context) -> CallId | None:
    try:
        return CallId.from_metadata(context.invocation_metadata())
    except BadCallId as e:
        raise CallFailed(grpc.StatusCode.INVALID_ARGUMENT, "BAD_ID", str(e)) from None
