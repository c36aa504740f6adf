"""tinysns.v1.Sns: writes that take effect exactly once, timelines from a cursor, lists.

Messages come and go as bytes: posts are serialised once for all readers and joined here, never parsed again.
"""

import asyncio
from collections import deque
from typing import NamedTuple

import grpc

from tinysns.codec import command_from_wire
from tinysns.domain.names import Refused
from tinysns.domain.writes import SESSION_WINDOW, Answer, Outcome
from tinysns.replication.interface import NotServing, Overloaded, Submitter
from tinysns.rpc.raw import Context, receive
from tinysns.sns.calls import CallFailed, errors_answered, fitting, held, held_for, overloaded, parse
from tinysns.sns.counters import Counters
from tinysns.sns.fanout import Hub
from tinysns.sns.reads import Reads
from tinysns.sns.timelines import Timelines, unknown_user
from tinysns.wire.v1 import sns_pb2

# Hundreds of streams with shorter ones would cost a master most of its time.
_LEAST_HEARTBEAT_MS = 20

SERVICE = sns_pb2.DESCRIPTOR.services_by_name["Sns"].full_name


class NativeService:
    """Handlers of the service, for raw messages."""

    def __init__(
        self,
        submitter: Submitter,
        hub: Hub,
        reads: Reads,
        timelines: Timelines,
        counters: Counters,
        hold_seconds: float,
    ) -> None:
        self._submitter = submitter
        self._hub = hub
        self._reads = reads
        self._timelines = timelines
        self._counters = counters
        self._hold_seconds = hold_seconds

    def handlers(self) -> grpc.GenericRpcHandler:
        """To be added to a server."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Write": grpc.stream_stream_rpc_method_handler(self.write),
                "Timeline": grpc.unary_stream_rpc_method_handler(self.timeline),
                "List": grpc.unary_unary_rpc_method_handler(self.list),
            },
        )

    async def write(self, _: object, context: Context) -> None:
        async with errors_answered(context, definite=False):
            stream = _WriteStream(context, self._submitter, self._hold_seconds)
            await stream.serve(self._hub)

    async def timeline(self, raw: bytes, context: Context) -> None:
        async with errors_answered(context, definite=True):
            request = parse(sns_pb2.TimelineRequest, raw)
            heartbeat_seconds = max(request.heartbeat_ms, _LEAST_HEARTBEAT_MS) / 1000 if request.heartbeat_ms else None
            with self._timelines.timeline(request.user, request.after_position) as timeline:
                async with held(context, self._hold_seconds):
                    await timeline.open()
                await context.send_initial_metadata(())  # tells the client that it is in, before there is a post
                if request.newest:
                    await timeline.skip_to_newest(request.newest)
                groups = timeline.history() if request.until_now else timeline.groups(heartbeat_seconds)
                async for group in groups:
                    await context.write(b"".join([batch.native for batch in group]))
                    self._counters.posts_delivered += sum(len(batch.posts) for batch in group)

    async def list(self, raw: bytes, context: Context) -> bytes:
        async with errors_answered(context, definite=True):
            request = parse(sns_pb2.ListRequest, raw)
            async with held(context, self._hold_seconds):
                await self._reads.barrier()
            lists = await self._reads.lists(request.user)
            if not lists.known:
                raise unknown_user(request.user)
            reply = sns_pb2.ListReply(users=lists.users, followers=lists.followers, following=lists.following)
            return fitting(reply.SerializeToString())
        raise AssertionError("errors_answered ends the call")


class _Submitted(NamedTuple):
    """A write that is not answered yet."""

    number: int
    answer: "asyncio.Future[Answer]"
    at: float  # loop time


class _WriteStream:
    """The writes of one session: submitted as they come, answered in that order, at most SESSION_WINDOW in flight.

    Two tasks for a stream, none for a write: one reads and submits, and the call's own is woken by answers.
    """

    def __init__(self, context: Context, submitter: Submitter, hold_seconds: float) -> None:
        self._context = context
        self._submitter = submitter
        self._hold_seconds = hold_seconds if context.time_remaining() is None else None
        self._loop = asyncio.get_running_loop()
        self._session = 0
        self._room = asyncio.Semaphore(SESSION_WINDOW)
        self._waiting: deque[_Submitted] = deque()  # in the order in which they are answered
        self._news = asyncio.Event()  # something was answered, or the stream is to end
        self._failure: NotServing | None = None
        self._holding: asyncio.TimerHandle | None = None

    async def serve(self, hub: Hub) -> None:
        """Returns when the client has ended its side and got all answers. Raises NotServing, CallFailed."""
        reading = self._loop.create_task(self._read(), name="read writes")
        reading.add_done_callback(self._wake)
        try:
            with hub.refusal(self._fail):
                while self._waiting or not reading.done():
                    await self._news.wait()
                    self._news.clear()
                    await self._answer()
            reading.result()
        finally:
            if self._holding is not None:
                self._holding.cancel()
            # This gives up waiting and takes nothing back: what was submitted goes its way.
            for submitted in self._waiting:
                submitted.answer.cancel()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self) -> None:
        """Until the client has ended its side. What was wrong with a message is told behind the answers before it."""
        while True:
            await self._room.acquire()  # no room, no reading: gRPC's flow control then stops the client
            raw = await receive(self._context)
            if raw is None:
                return
            self._take(parse(sns_pb2.Command, raw))

    def _take(self, message: sns_pb2.Command) -> None:
        if self._session and message.session != self._session:
            raise CallFailed(
                grpc.StatusCode.INVALID_ARGUMENT,
                "SECOND_SESSION",
                "a Write stream carries the writes of one session; open another stream for another session",
            )
        self._session = message.session
        answer: asyncio.Future[Answer]
        try:
            answer = self._submitter.submit(command_from_wire(message))
        except (Refused, NotServing) as e:
            answer = self._loop.create_future()
            answer.set_exception(e)
        answer.add_done_callback(self._wake)
        self._waiting.append(_Submitted(message.number, answer, self._loop.time()))
        if self._hold_seconds is not None and self._holding is None:
            self._holding = self._loop.call_later(self._hold_seconds, self._hold)

    def _wake(self, _: object) -> None:
        self._news.set()

    def _fail(self, error: NotServing) -> None:
        self._failure = self._failure or error
        self._news.set()

    def _hold(self) -> None:
        """Without a deadline of its own no write waits for longer than this: the first one has waited longest."""
        self._holding = None
        if self._waiting and self._hold_seconds is not None:
            left_seconds = self._waiting[0].at + self._hold_seconds - self._loop.time()
            if left_seconds <= 0:
                self._fail(held_for(self._hold_seconds))
            else:
                self._holding = self._loop.call_later(left_seconds, self._hold)

    async def _answer(self) -> None:
        """Those that are there at once go in one message. Raises what the first of the others has failed with."""
        answers: list[sns_pb2.Answer] = []
        error: BaseException | None = None
        while error is None and self._waiting and self._waiting[0].answer.done():
            submitted = self._waiting[0]
            error = submitted.answer.exception()
            if error is None:
                answers.append(_to_wire(submitted.number, submitted.answer.result()))
            elif isinstance(error, Refused):
                answers.append(sns_pb2.Answer(number=submitted.number, outcome=sns_pb2.INVALID, detail=str(error)))
                error = None
            if error is None:
                self._waiting.popleft()
        if answers:
            await self._context.write(sns_pb2.Answers(answers=answers).SerializeToString())
            for _ in answers:
                self._room.release()
        if isinstance(error, Overloaded):
            raise overloaded(error)
        if (failure := error or self._failure) is not None:
            raise failure


def _to_wire(number: int, answer: Answer) -> sns_pb2.Answer:
    return sns_pb2.Answer(
        number=number,
        outcome=answer.outcome.name,
        position=answer.position,
        expected=answer.expected,
        detail=_NO_ROOM if answer.outcome is Outcome.INVALID else "",
    )


_NO_ROOM = "the log entry that was to hold this write had no room for it; send it again"
