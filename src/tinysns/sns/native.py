"""tinysns.v1.Sns: writes that take effect exactly once, timelines from a cursor, lists.

Messages come and go as bytes: posts are serialised once for all readers and joined here, never parsed again.
"""

import asyncio
from collections import deque

import grpc

from tinysns.codec import command_from_wire
from tinysns.domain.names import Refused
from tinysns.domain.writes import SESSION_WINDOW, Answer, Command, Outcome
from tinysns.replication.interface import Submitter
from tinysns.rpc.errors import CallFailed
from tinysns.rpc.raw import Context, parse, receive
from tinysns.sns.batches import Batch
from tinysns.sns.calls import errors_answered, fitting, held, until_first_ends
from tinysns.sns.counters import Counters
from tinysns.sns.fanout import Hub
from tinysns.sns.reads import Reads
from tinysns.sns.timelines import Timeline, Timelines, unknown_user
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
                if request.backlog:
                    await self._send_backlog(timeline, request.newest, context)
                elif request.newest:
                    await timeline.skip_to_newest(request.newest)
                groups = timeline.history() if request.until_now else timeline.groups(heartbeat_seconds)
                async for group in groups:
                    await context.write(b"".join([batch.native for batch in group]))
                    self._counters.posts_delivered += sum(len(batch.posts) for batch in group)

    async def _send_backlog(self, timeline: Timeline, count: int, context: Context) -> None:
        backlog = sorted(await timeline.newest(count)) if count else []
        native = Batch(backlog).native if backlog else b""
        await context.write(native + sns_pb2.Posts(cursor=timeline.cursor).SerializeToString())
        self._counters.posts_delivered += len(backlog)

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


class _WriteStream:
    """The writes of one session: submitted as they come, answered in that order, at most SESSION_WINDOW in flight."""

    def __init__(self, context: Context, submitter: Submitter, hold_seconds: float) -> None:
        self._context = context
        self._submitter = submitter
        self._hold_seconds = hold_seconds
        self._session = 0
        self._room = asyncio.Semaphore(SESSION_WINDOW)
        self._waiting: deque[asyncio.Future[sns_pb2.Answer]] = deque()  # in the order in which they are answered
        self._something_waits = asyncio.Event()
        self._all_answered = asyncio.Event()
        self._all_answered.set()

    async def serve(self, hub: Hub) -> None:
        """Returns when the client has ended its side and got all answers. Raises NotServing, CallFailed."""
        try:
            await until_first_ends(self._read(), self._answer(), hub.raise_when_refusing())
        finally:
            # This gives up waiting and takes nothing back: what was submitted goes its way.
            for answer in self._waiting:
                answer.cancel()
            await asyncio.gather(*self._waiting, return_exceptions=True)

    async def _read(self) -> None:
        failure: CallFailed | None = None
        try:
            while True:
                await self._room.acquire()  # no room, no reading: gRPC's flow control then stops the client
                raw = await receive(self._context)
                if raw is None:
                    break
                self._take(parse(sns_pb2.Command, raw))
        except CallFailed as e:
            failure = e
        await self._all_answered.wait()  # also of what came before a broken message
        if failure is not None:
            raise failure

    def _take(self, message: sns_pb2.Command) -> None:
        if self._session and message.session != self._session:
            raise CallFailed(
                grpc.StatusCode.INVALID_ARGUMENT,
                "SECOND_SESSION",
                "a Write stream carries the writes of one session; open another stream for another session",
            )
        self._session = message.session
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[sns_pb2.Answer]
        try:
            command = command_from_wire(message)
        except Refused as e:
            answer = loop.create_future()
            answer.set_result(sns_pb2.Answer(number=message.number, outcome=sns_pb2.INVALID, detail=str(e)))
        else:
            # The loop starts tasks in the order in which they are made, and a submitter queues before it waits: so
            # commands are submitted in the order in which they came.
            answer = loop.create_task(self._submit(command), name=f"write {command.number}")
        self._waiting.append(answer)
        self._something_waits.set()
        self._all_answered.clear()

    async def _submit(self, command: Command) -> sns_pb2.Answer:
        async with held(self._context, self._hold_seconds):
            return _to_wire(command.number, await self._submitter.submit(command))
        raise AssertionError("held lets no error disappear")

    async def _answer(self) -> None:
        """Those that are there at once go in one message."""
        while True:
            await self._something_waits.wait()
            await asyncio.wait((self._waiting[0],))
            answers = [self._waiting.popleft().result()]
            while self._waiting and self._waiting[0].done():
                answers.append(self._waiting.popleft().result())
            await self._context.write(sns_pb2.Answers(answers=answers).SerializeToString())
            for _ in answers:
                self._room.release()
            if not self._waiting:
                self._something_waits.clear()
                self._all_answered.set()


def _to_wire(number: int, answer: Answer) -> sns_pb2.Answer:
    return sns_pb2.Answer(
        number=number,
        outcome=answer.outcome.name,
        position=answer.position,
        expected=answer.expected,
        detail=_NO_ROOM if answer.outcome is Outcome.INVALID else "",
    )


_NO_ROOM = "the log entry that was to hold this write had no room for it; send it again"
