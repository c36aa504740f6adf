"""csce438.SNSService: the course's interface, for clients that have neither sessions nor cursors."""

import asyncio
from collections.abc import Callable

import grpc

from tinysns.domain.names import MAX_BATCH_BYTES, MAX_TEXT_BYTES, Refused, check_name, check_texts
from tinysns.domain.writes import Follow, Login, Outcome, Post, Unfollow, Write
from tinysns.replication.interface import NotServing
from tinysns.sns.batches import course_message
from tinysns.sns.calls import CallFailed, Context, errors_answered, held, parse, receive, until_first_ends
from tinysns.sns.counters import Counters
from tinysns.sns.own_session import OwnSession
from tinysns.sns.reads import Reads
from tinysns.sns.texts import Dialect
from tinysns.sns.timelines import Timeline, Timelines, unknown_user
from tinysns.wire.csce438 import sns_pb2

SERVICE = sns_pb2.DESCRIPTOR.services_by_name["SNSService"].full_name

SET_STREAM = "Set Stream"
BACKLOG_POSTS = 20
# Of one timeline stream: posts that were read and not yet submitted; all of them fit into one batch by their number.
_MAX_WAITING_POSTS = 256


class CourseService:
    """Handlers of the service, for raw messages."""

    def __init__(
        self,
        session: OwnSession,
        reads: Reads,
        timelines: Timelines,
        counters: Counters,
        dialect: Dialect,
        hold_seconds: float,
    ) -> None:
        self._session = session
        self._reads = reads
        self._timelines = timelines
        self._counters = counters
        self._dialect = dialect
        self._hold_seconds = hold_seconds

    def handlers(self) -> grpc.GenericRpcHandler:
        """To be added to a server."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Login": grpc.unary_unary_rpc_method_handler(self.login),
                "List": grpc.unary_unary_rpc_method_handler(self.list),
                "Follow": grpc.unary_unary_rpc_method_handler(self.follow),
                "UnFollow": grpc.unary_unary_rpc_method_handler(self.unfollow),
                "Timeline": grpc.stream_stream_rpc_method_handler(self.timeline),
            },
        )

    async def login(self, raw: bytes, context: Context) -> bytes:
        async with errors_answered(context, definite=False):
            user = parse(sns_pb2.Request, raw).username
            if not _acceptable(user):
                return _reply(self._dialect.login_refused)
            outcome = await self._write(context, Login(user))
            return _reply(_text(self._dialect.login(outcome, user), outcome))
        raise AssertionError("errors_answered ends the call")

    async def follow(self, raw: bytes, context: Context) -> bytes:
        return await self._follow_or_unfollow(raw, context, Follow, self._dialect.follow)

    async def unfollow(self, raw: bytes, context: Context) -> bytes:
        return await self._follow_or_unfollow(raw, context, Unfollow, self._dialect.unfollow)

    async def list(self, raw: bytes, context: Context) -> bytes:
        async with errors_answered(context, definite=True):
            user = parse(sns_pb2.Request, raw).username
            async with held(context, self._hold_seconds):
                await self._reads.barrier()
            lists = await self._reads.lists(user)
            if not lists.known:
                raise unknown_user(user)
            return sns_pb2.ListReply(all_users=lists.users, followers=lists.followers).SerializeToString()
        raise AssertionError("errors_answered ends the call")

    async def timeline(self, _: object, context: Context) -> None:
        async with errors_answered(context, definite=True):
            user = await _first_message(context)
            with self._timelines.timeline(user) as timeline:
                async with held(context, self._hold_seconds):
                    await timeline.open()
                await context.send_initial_metadata(())  # tells the client that it is in, before there is a post
                async with errors_answered(context, definite=False):
                    posts = _PostStream(user, context, self._session, self._hold_seconds)
                    await until_first_ends(posts.read(), posts.submit(), self._send(timeline, context))

    async def _send(self, timeline: Timeline, context: Context) -> None:
        for post in await timeline.newest(BACKLOG_POSTS):
            await context.write(course_message(post))
            self._counters.posts_delivered += 1
        async for group in timeline.groups():
            for batch in group:
                for message in batch.course:
                    await context.write(message)
                self._counters.posts_delivered += len(batch.posts)

    async def _follow_or_unfollow(
        self,
        raw: bytes,
        context: Context,
        kind: type[Follow] | type[Unfollow],
        text: Callable[[Outcome], str | None],
    ) -> bytes:
        async with errors_answered(context, definite=False):
            request = parse(sns_pb2.Request, raw)
            target = request.arguments[0] if request.arguments else ""
            if _acceptable(request.username) and _acceptable(target):
                outcome = await self._write(context, kind(request.username, target))
            else:
                outcome = Outcome.UNKNOWN_USER  # nobody can have such a name
            return _reply(_text(text(outcome), outcome))
        raise AssertionError("errors_answered ends the call")

    async def _write(self, context: Context, write: Write) -> Outcome:
        async with held(context, self._hold_seconds):
            return (await self._session.submit(write)).outcome
        raise AssertionError("held lets no error disappear")


class _PostStream:
    """The posts of one timeline stream. One command is in flight at a time; what is read meanwhile becomes the next."""

    def __init__(self, user: str, context: Context, session: OwnSession, hold_seconds: float) -> None:
        self._user = user
        self._context = context
        self._session = session
        self._hold_seconds = hold_seconds
        self._waiting: asyncio.Queue[str] = asyncio.Queue(_MAX_WAITING_POSTS)

    async def read(self) -> None:
        """Returns when the client has ended its side and all of its posts are stored. Raises CallFailed, Refused."""
        failure: CallFailed | Refused | None = None
        try:
            while (raw := await receive(self._context)) is not None:
                text = self._checked(parse(sns_pb2.Message, raw))
                await self._waiting.put(text)  # a full queue ends the reading: gRPC's flow control stops the client
        except (CallFailed, Refused) as e:
            failure = e
        await self._waiting.join()  # also what came before a bad message
        if failure is not None:
            raise failure

    async def submit(self) -> None:
        """Never returns. Raises NotServing."""
        while True:
            texts = [await self._waiting.get()]
            size = len(texts[0].encode())
            while not self._waiting.empty() and size <= MAX_BATCH_BYTES - MAX_TEXT_BYTES:
                texts.append(self._waiting.get_nowait())
                size += len(texts[-1].encode())
            async with held(self._context, self._hold_seconds):
                answer = await self._session.submit(Post(self._user, tuple(texts)))
            if answer.outcome is not Outcome.DONE:
                raise NotServing(f"the posts were not taken ({answer.outcome.name}); open the timeline again")
            for _ in texts:
                self._waiting.task_done()

    def _checked(self, message: sns_pb2.Message) -> str:
        if message.username != self._user:
            raise CallFailed(
                grpc.StatusCode.INVALID_ARGUMENT,
                "OTHER_USER",
                f"this stream posts as {self._user}; open another timeline to post as {message.username[:80]!r}",
            )
        check_texts((message.msg,))
        return message.msg


async def _first_message(context: Context) -> str:
    """The user whose timeline it is."""
    raw = await receive(context)
    if raw is not None:
        first = parse(sns_pb2.Message, raw)
        if first.msg == SET_STREAM:
            return first.username
    raise CallFailed(
        grpc.StatusCode.INVALID_ARGUMENT,
        "WRONG_FIRST_MESSAGE",
        f'the first message on a timeline must be {{username, msg: "{SET_STREAM}"}}, without a newline',
    )


def _acceptable(name: str) -> bool:
    try:
        check_name(name)
    except Refused:
        return False
    return True


def _text(text: str | None, outcome: Outcome) -> str:
    if text is None:  # the log entry had no room: not executed
        raise NotServing(f"the write was not executed ({outcome.name}); try again")
    return text


def _reply(text: str) -> bytes:
    return sns_pb2.Reply(msg=text).SerializeToString()
