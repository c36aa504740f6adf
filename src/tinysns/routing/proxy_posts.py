"""The posts of one stream that the proxy has read and no master has confirmed yet.

They are written through a session of the stream's own: each gets its name there, (session, number), before any master
hears of it, and is sent again under that name until one confirms it. So they take effect once and in order, whatever
dies meanwhile. What is held is bounded: when there is no more room nothing is read, and the client's own window stops
it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

import grpc

from tinysns.client.session import Session
from tinysns.domain.writes import Answer, Outcome, Post
from tinysns.rpc.errors import CallFailed

MAX_HELD_POSTS = 256
MAX_HELD_BYTES = 1024 * 1024  # also what one write may have
# Writes on the way. One more than one, so that the service has the next when it has done the last; what comes
# meanwhile is packed into one.
_MOST_WRITES = 2


class HeldPosts:
    """`new_session` is called with the first post: most streams only listen."""

    def __init__(self, user: str, new_session: Callable[[], Session]) -> None:
        self._user = user
        self._new_session = new_session
        self._session: Session | None = None
        self._waiting: deque[str] = deque()
        self._writes = 0
        self._held_posts = 0
        self._held_bytes = 0
        self._changed = asyncio.Event()
        self._failure: Exception | None = None

    @property
    def held(self) -> int:
        """How many there are."""
        return self._held_posts

    async def add(self, text: str) -> None:
        """Takes one more as soon as there is room for it. Raises what `stored` raises."""
        size = len(text.encode())
        await self._until(lambda: self._held_posts < MAX_HELD_POSTS and self._held_bytes + size <= MAX_HELD_BYTES)
        self._waiting.append(text)
        self._held_posts += 1
        self._held_bytes += size
        self._write()

    async def stored(self) -> None:
        """Returns once all are. Raises CallFailed if the service does not know the user, SnsError if it was closed."""
        await self._until(lambda: not self._held_posts)

    async def close(self) -> None:
        """What is still held is given up."""
        if self._session is not None:
            await self._session.close()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while self._failure is None and not condition():
            self._changed.clear()
            await self._changed.wait()
        if self._failure is not None:
            raise self._failure

    def _write(self) -> None:
        if self._session is None:
            self._session = self._new_session()
        while self._waiting and self._writes < _MOST_WRITES:
            texts = tuple(self._waiting)
            self._waiting.clear()
            self._writes += 1
            self._session.submit(Post(self._user, texts)).add_done_callback(partial(self._written, texts))

    def _written(self, texts: tuple[str, ...], answer: "asyncio.Future[Answer]") -> None:
        self._writes -= 1
        if (error := answer.exception()) is not None:
            self._failure = self._failure or error  # type: ignore[assignment]  # futures of a session have Exceptions
        elif answer.result().outcome is not Outcome.DONE:
            sentence = f"there is no user {self._user[:80]!r}; log in with that name first"
            self._failure = CallFailed(grpc.StatusCode.NOT_FOUND, "UNKNOWN_USER", sentence)
        else:
            self._held_posts -= len(texts)
            self._held_bytes -= sum(len(text.encode()) for text in texts)
            self._write()
        self._changed.set()
