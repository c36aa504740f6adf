"""The interfaces of the course, for clients that have neither sessions nor cursors: one implementation for all."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import grpc

from tinysns.course.interfaces import Interface
from tinysns.course.streams import BACKLOG_POSTS, opening_user
from tinysns.course.texts import Dialect
from tinysns.domain.names import Refused, check_name
from tinysns.domain.writes import Follow, Login, Outcome, Unfollow
from tinysns.replication.interface import NotServing
from tinysns.rpc.channels import MAX_MESSAGE_BYTES
from tinysns.rpc.raw import Context, parse, receive
from tinysns.runtime.tasks import Tasks
from tinysns.sns.calls import errors_answered, fitting, held, until_first_fails
from tinysns.sns.counters import Counters
from tinysns.sns.course_posts import PostStream
from tinysns.sns.course_writes import CourseWrites
from tinysns.sns.reads import Reads
from tinysns.sns.timelines import Timeline, Timelines, unknown_user
from tinysns.storage.reader import Neighbours
from tinysns.wire.csce438 import sns_pb2


class CourseService:
    """Handlers of one interface, for raw messages."""

    def __init__(
        self,
        interface: Interface,
        writes: CourseWrites,
        reads: Reads,
        timelines: Timelines,
        counters: Counters,
        tasks: Tasks,
        hold_seconds: float,
        single_login: bool,
    ) -> None:
        self._interface = interface
        self._texts = interface.texts
        self._writes = writes
        self._reads = reads
        self._timelines = timelines
        self._counters = counters
        self._tasks = tasks
        self._hold_seconds = hold_seconds
        self._single_login = single_login

    def handlers(self) -> grpc.GenericRpcHandler:
        """To be added to a server."""
        interface = self._interface
        unary: dict[str, Callable[[bytes, Context], Awaitable[bytes]]] = {
            "Login": self.login,
            "List": self.list,
            interface.follow: self.follow,
            **{name: partial(self.unfollow, texts) for name, texts in interface.unfollows.items()},
        }
        if interface.follower_info is not None:
            unary[interface.follower_info] = self.follower_info
        if interface.ping is not None:
            unary[interface.ping] = self.ping
        return grpc.method_handlers_generic_handler(
            interface.service,
            {
                **{name: grpc.unary_unary_rpc_method_handler(call) for name, call in unary.items()},
                interface.timeline: grpc.stream_stream_rpc_method_handler(self.timeline),
            },
        )

    async def login(self, raw: bytes, context: Context) -> bytes:
        """As often as a client likes: they log in again after every reconnect, some before every command.

        With a single login, not while the user has a timeline open on this master.
        """
        async with errors_answered(context, definite=True):
            user = parse(self._interface.request, raw).username
            if not _acceptable(user):
                return self._reply(self._texts.login_refused)
            if self._single_login and self._timelines.is_open(user):
                return self._reply(self._texts.already_in)
            outcome = await self._writes.call(context, Login(user))
            return self._reply(_text(self._texts.login(outcome, user), outcome))
        raise AssertionError("errors_answered ends the call")

    async def follow(self, raw: bytes, context: Context) -> bytes:
        return await self._follow_or_unfollow(raw, context, Follow, self._texts.follow)

    async def unfollow(self, texts: Dialect, raw: bytes, context: Context) -> bytes:
        return await self._follow_or_unfollow(raw, context, Unfollow, texts.unfollow)

    async def list(self, raw: bytes, context: Context) -> bytes:
        async with errors_answered(context, definite=True):
            user = parse(self._interface.request, raw).username
            async with held(context, self._hold_seconds):
                await self._reads.barrier()
            lists = await self._reads.lists(user)
            if not lists.known:
                raise unknown_user(user)
            return fitting(self._interface.list_reply(user, lists).SerializeToString())
        raise AssertionError("errors_answered ends the call")

    async def follower_info(self, raw: bytes, context: Context) -> bytes:
        """Of all users: it matters to nobody who asks."""
        async with errors_answered(context, definite=True):
            parse(self._interface.request, raw)
            async with held(context, self._hold_seconds):
                await self._reads.barrier()
            neighbours = await self._reads.neighbours(MAX_MESSAGE_BYTES)
            return fitting(await asyncio.to_thread(_map_reply, neighbours) if neighbours is not None else None)
        raise AssertionError("errors_answered ends the call")

    async def ping(self, _: bytes, context: Context) -> bytes:
        """Fails, as all other calls do, when this master does not serve."""
        async with errors_answered(context, definite=True):
            async with held(context, self._hold_seconds):
                await self._reads.barrier()
            return self._reply("")
        raise AssertionError("errors_answered ends the call")

    async def timeline(self, _: object, context: Context) -> None:
        """Until the client hangs up; that it has ended its side does not end the other one.

        It is refused at the beginning only, and ended only by a bad post: those before it are stored, then it ends with
        a sentence. While this master cannot serve, posts wait and the timeline is silent; then both go on.
        """
        async with errors_answered(context, definite=True):
            user = opening_user(self._interface, await receive(context))
            with self._timelines.timeline(user) as timeline:
                async with held(context, self._hold_seconds):
                    await timeline.open()
                await context.send_initial_metadata(())  # tells the client that it is in, before there is a post
                async with errors_answered(context, definite=False):
                    posts = PostStream(self._interface, user, context, self._writes.of_stream())
                    submitting = self._tasks.start(f"posts of {user}", posts.submit())
                    try:
                        await until_first_fails(posts.read(), self._send(timeline, context))
                    finally:
                        self._tasks.start(f"last posts of {user}", posts.finish(submitting))

    async def _send(self, timeline: Timeline, context: Context) -> None:
        message_of = self._interface.message_of
        for post in await timeline.newest(BACKLOG_POSTS):
            await context.write(message_of(post))
            self._counters.posts_delivered += 1
        while True:
            with contextlib.suppress(NotServing):
                async for group in timeline.groups():
                    for batch in group:
                        for message in batch.serialised(message_of):
                            await context.write(message)
                        self._counters.posts_delivered += len(batch.posts)
            await timeline.serve_again()

    async def _follow_or_unfollow(
        self,
        raw: bytes,
        context: Context,
        kind: type[Follow] | type[Unfollow],
        text: Callable[[Outcome], str | None],
    ) -> bytes:
        async with errors_answered(context, definite=True):
            request = parse(self._interface.request, raw)
            target = request.arguments[0] if request.arguments else ""
            if _acceptable(request.username) and _acceptable(target):
                outcome = await self._writes.call(context, kind(request.username, target))
            else:
                outcome = Outcome.UNKNOWN_USER  # nobody can have such a name
            return self._reply(_text(text(outcome), outcome))
        raise AssertionError("errors_answered ends the call")

    def _reply(self, text: str) -> bytes:
        return self._interface.reply(msg=text).SerializeToString()


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


def _map_reply(neighbours: Mapping[str, Neighbours]) -> bytes:
    """A serialised MapReply. Neither ", " nor "; " can be in a name."""
    return sns_pb2.MapReply(
        info={
            user: f"followers: {', '.join(of.followers)}; following: {', '.join(of.following)}"
            for user, of in neighbours.items()
        }
    ).SerializeToString()
