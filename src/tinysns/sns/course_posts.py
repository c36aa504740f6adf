"""The posts that come in on a timeline stream of the course: in order, few at a time, and none lost silently."""

import asyncio

import grpc

from tinysns.domain.names import MAX_BATCH_BYTES, MAX_TEXT_BYTES, Refused, check_texts
from tinysns.domain.writes import Outcome, Post
from tinysns.replication.interface import NotServing, Overloaded
from tinysns.rpc.raw import Context, receive
from tinysns.sns.calls import CallFailed, overloaded, parse
from tinysns.sns.course_writes import CourseWrites
from tinysns.sns.interfaces import Interface

# Of one stream: posts that were read and not yet submitted; all of them fit into one batch by their number.
_MAX_WAITING_POSTS = 256


class PostStream:
    """The posts of one timeline stream. One command is in flight at a time; what is read meanwhile becomes the next."""

    def __init__(self, interface: Interface, user: str, context: Context, writes: CourseWrites) -> None:
        self._interface = interface
        self._user = user
        self._context = context
        self._writes = writes
        self._waiting: asyncio.Queue[str] = asyncio.Queue(_MAX_WAITING_POSTS)

    async def read(self) -> None:
        """Returns when the client has ended its side and all of its posts are stored. Raises CallFailed, Refused."""
        failure: CallFailed | Refused | None = None
        try:
            while (raw := await receive(self._context)) is not None:
                text = self._checked(raw)
                await self._waiting.put(text)  # a full queue ends the reading: gRPC's flow control stops the client
        except (CallFailed, Refused) as e:
            failure = e
        await self._waiting.join()  # also what came before a bad message
        if failure is not None:
            raise failure

    async def submit(self) -> None:
        """Never returns. Raises NotServing, CallFailed."""
        while True:
            texts = [await self._waiting.get()]
            size = len(texts[0].encode())
            while not self._waiting.empty() and size <= MAX_BATCH_BYTES - MAX_TEXT_BYTES:
                texts.append(self._waiting.get_nowait())
                size += len(texts[-1].encode())
            try:
                answer = await self._writes.post(self._context, Post(self._user, tuple(texts)))
            except Overloaded as e:
                raise overloaded(e) from None
            if answer.outcome is not Outcome.DONE:
                raise NotServing(f"the posts were not taken ({answer.outcome.name}); open the timeline again")
            for _ in texts:
                self._waiting.task_done()

    def _checked(self, raw: bytes) -> str:
        """The text as the state holds it."""
        message = parse(self._interface.message, raw)
        if message.username != self._user:
            raise CallFailed(
                grpc.StatusCode.INVALID_ARGUMENT,
                "OTHER_USER",
                f"this stream posts as {self._user}; open another timeline to post as {message.username[:80]!r}",
            )
        text = message.msg + self._interface.line_end
        check_texts((message.msg or text,))  # the limit is that of what was sent; an end that we add is not counted
        return text
