"""Writes of clients that know no sessions.

A unary call is named by the proxy that brings it, else by this process's own session; the posts of a stream are named
by the stream's own.
"""

from collections.abc import Callable

import grpc

from tinysns.domain.writes import Command, Outcome, Post, Write
from tinysns.replication.interface import NotServing, Submitter
from tinysns.rpc.call_id import BadCallId, CallId
from tinysns.rpc.errors import CallFailed
from tinysns.rpc.raw import Context
from tinysns.sns.calls import errors_answered, held
from tinysns.sns.own_session import OwnSession
from tinysns.sns.timelines import unknown_user


class CourseWrites:
    """Submits writes, for all interfaces of the course."""

    def __init__(
        self, submitter: Submitter, own: OwnSession, new_session: Callable[[], int], hold_seconds: float
    ) -> None:
        self._submitter = submitter
        self._new_session = new_session
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

    def of_stream(self) -> "StreamWrites":
        """For one more timeline stream."""
        return StreamWrites(self._submitter, self._new_session)


class StreamWrites:
    """The writes of one timeline stream, in a session of its own, one at a time."""

    def __init__(self, submitter: Submitter, new_session: Callable[[], int]) -> None:
        self._submitter = submitter
        self._new_session = new_session
        self._session = 0
        self._last = 0

    async def store(self, post: Post) -> None:
        """Returns once it is stored, however long this master cannot serve. Raises NotServing if it is stopping, and
        CallFailed.

        It keeps its name until it is answered: a master that stood down may have brought it to the log all the same.
        """
        while True:
            if not self._session:
                self._session, self._last = self._new_session(), 0
            try:
                answer = await self._submitter.submit(Command(self._session, self._last + 1, post))
            except NotServing:
                await self._submitter.serving(writes=True)
                continue
            if answer.outcome is Outcome.DONE:
                self._last += 1
                return
            if answer.outcome is Outcome.UNKNOWN_USER:
                raise unknown_user(post.author)
            self._session = 0  # it was not used for long, and is forgotten; this write is new


def _call_id(context: Context) -> CallId | None:
    try:
        return CallId.from_metadata(context.invocation_metadata())
    except BadCallId as e:
        raise CallFailed(grpc.StatusCode.INVALID_ARGUMENT, "BAD_ID", str(e)) from None
