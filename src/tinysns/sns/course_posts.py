"""The posts that come in on a timeline stream of the course: in order, few at a time, and none lost silently."""

import asyncio
import logging

from tinysns.course.interfaces import Interface
from tinysns.course.streams import text_of_post
from tinysns.domain.names import MAX_BATCH_BYTES, MAX_TEXT_BYTES, Refused
from tinysns.domain.writes import Post
from tinysns.replication.interface import NotServing
from tinysns.rpc.errors import CallFailed
from tinysns.rpc.raw import Context, receive
from tinysns.sns.course_writes import StreamWrites

log = logging.getLogger(__name__)

# Of one stream: posts that were read and not yet submitted; all of them fit into one batch by their number.
_MAX_WAITING_POSTS = 256
_ROOM_BYTES = MAX_BATCH_BYTES - MAX_TEXT_BYTES - 1  # a batch of that size has room for one more post


class PostStream:
    """The posts of one timeline stream. One command is in flight at a time; what is read meanwhile becomes the next."""

    def __init__(self, interface: Interface, user: str, context: Context, writes: StreamWrites) -> None:
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
                text = text_of_post(self._interface, self._user, raw)
                await self._waiting.put(text)  # a full queue ends the reading: gRPC's flow control stops the client
        except (CallFailed, Refused) as e:
            failure = e
        await self._waiting.join()  # also what came before a bad message
        if failure is not None:
            raise failure

    async def submit(self) -> None:
        """Submits what was read, until it is cancelled or this master is stopping."""
        try:
            await self._submit()
        except (NotServing, CallFailed) as e:
            log.warning("posts of %s were not stored: %s", self._user, e)

    async def finish(self, submitting: "asyncio.Task[None]") -> None:
        """The client has gone: what was read from it is stored all the same."""
        stored = asyncio.ensure_future(self._waiting.join())
        try:
            await asyncio.wait((stored, submitting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stored.cancel()
            submitting.cancel()

    async def _submit(self) -> None:
        while True:
            texts = [await self._waiting.get()]
            size = len(texts[0].encode())
            while not self._waiting.empty() and size <= _ROOM_BYTES:
                texts.append(self._waiting.get_nowait())
                size += len(texts[-1].encode())
            await self._writes.store(Post(self._user, tuple(texts)))
            for _ in texts:
                self._waiting.task_done()
