"""Timelines of course clients on a router's port: the proxy owns the client's stream, masters come and go behind it.

A client of the course looks neither at the result of what it writes nor at the end of its stream. So its stream ends
when the client ends it, and else only

    at the beginning    the first message is no opening, or nobody has that name
    after a bad post    one that may not be (too long, empty, as somebody else, no UTF-8): all before it is stored, then
                        the stream ends with INVALID_ARGUMENT and a sentence, and nothing behind it is read. A client
                        that does not look at that loses what it types from there on, as it does on a master
    at this router's    in order: what was read is stored first; killed: up to MAX_HELD_POSTS that were read are lost
    end

Upstream there are two parts, which know nothing of each other: a session for the posts (proxy_posts.py), and a timeline
that goes on from its cursor, on any master (client/timeline.py).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from contextlib import aclosing

import grpc

from tinysns.client.errors import Definite, SnsError
from tinysns.client.masters import Masters
from tinysns.client.session import Session
from tinysns.client.timeline import batches_of
from tinysns.client.waits import Waits
from tinysns.course.interfaces import Interface
from tinysns.course.streams import BACKLOG_POSTS, opening_user, text_of_post
from tinysns.domain.names import Refused
from tinysns.routing.proxy_calls import pass_on
from tinysns.routing.proxy_posts import HeldPosts
from tinysns.rpc.errors import CallFailed, abort
from tinysns.rpc.raw import Context, receive
from tinysns.runtime.tasks import Tasks
from tinysns.wire.v1 import sns_pb2

log = logging.getLogger(__name__)

# Of a router that stops in order, for what it has read: an election by timeout takes less.
_STORE_SECONDS = 2.0


class StreamProxy:
    """`new_session`: gives sessions that wait for ever and rest."""

    def __init__(self, masters: Masters, tasks: Tasks, waits: Waits, new_session: Callable[[], Session]) -> None:
        self._masters = masters
        self._tasks = tasks
        self._new_session = new_session
        self._waits = waits
        self._open: dict[_Stream, asyncio.Task[None] | None] = {}
        self._left: set[asyncio.Task[None]] = set()

    async def serve(self, interface: Interface, _: object, context: Context) -> None:
        """One stream, until its client ends it."""
        opened = False
        try:
            user = opening_user(interface, await receive(context))
            posts = HeldPosts(user, self._new_session)
            stream = _Stream(interface, user, posts, context)
            self._open[stream] = asyncio.current_task()
            opened = True
            try:
                await stream.carry(self._masters, self._waits)
            finally:
                del self._open[stream]
                task = self._tasks.start(f"what {user} has posted", _finish(posts, user))
                self._left.add(task)
                task.add_done_callback(self._left.discard)
        except Refused as e:
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "REFUSED", str(e), definite=False)
        except CallFailed as e:
            await abort(context, e.code, e.reason, str(e), definite=not opened)
        except Definite as e:
            if isinstance(e.__cause__, grpc.aio.AioRpcError):
                await pass_on(context, e.__cause__)
            await abort(context, grpc.StatusCode.NOT_FOUND, "UNKNOWN_USER", str(e), definite=False)

    async def close(self) -> None:
        """Ends all streams, once what was read from them is stored, or after a moment. Call it before the server
        stops."""
        for stream in self._open:
            stream.stop()
        if ending := [task for task in (*self._open.values(), *self._left) if task is not None]:
            await asyncio.wait(ending, timeout=_STORE_SECONDS)


class _Stream:
    """One open stream: a task for each direction."""

    def __init__(self, interface: Interface, user: str, posts: HeldPosts, context: Context) -> None:
        self._interface = interface
        self._user = user
        self._posts = posts
        self._context = context
        self._down: asyncio.Task[None] | None = None
        self._stopping = False

    async def carry(self, masters: Masters, waits: Waits) -> None:
        """Until it is cancelled, because the client has gone. Raises CallFailed, Refused, Definite."""
        try:
            async with asyncio.TaskGroup() as directions:
                self._down = directions.create_task(self._send(masters, waits), name=f"timeline of {self._user}")
                await self._read()
        except ExceptionGroup as errors:
            if self._stopping:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_STORE_SECONDS):
                        await self._posts.stored()
            raise errors.exceptions[0] from errors.exceptions[0].__cause__

    def stop(self) -> None:
        """The router is stopping."""
        self._stopping = True
        if self._down is not None:
            self._down.cancel()

    async def _read(self) -> None:
        """Returns when the client has ended its side and all of its posts are stored: it may go on reading."""
        try:
            while (raw := await receive(self._context)) is not None:
                await self._posts.add(text_of_post(self._interface, self._user, raw))
        except (CallFailed, Refused):
            await self._posts.stored()  # what came before
            raise
        await self._posts.stored()

    async def _send(self, masters: Masters, waits: Waits) -> None:
        request = sns_pb2.TimelineRequest(user=self._user, newest=BACKLOG_POSTS, backlog=True)
        message_of, write = self._interface.message_of, self._context.write
        try:
            async with aclosing(batches_of(masters, waits.waiting("a timeline"), request, ())) as batches:
                backlog = await anext(batches)
                await self._context.send_initial_metadata(())  # tells the client that it is in
                for post in reversed(backlog):
                    await write(message_of(post))
                async for batch in batches:
                    for post in batch:
                        await write(message_of(post))
        except asyncio.CancelledError:
            if not self._stopping:
                raise
            sentence = "this router is stopping; open the timeline again, here in a moment or on another router"
            raise CallFailed(grpc.StatusCode.UNAVAILABLE, "STOPPING", sentence) from None


async def _finish(posts: HeldPosts, user: str) -> None:
    """Of a client that has gone: what it had posted is stored all the same."""
    try:
        await posts.stored()
    except (CallFailed, SnsError) as e:
        log.warning("%d posts of %s were not stored: %s", posts.held, user, e)
    finally:
        await posts.close()
