"""The posts of one stream that the proxy has read and no master has confirmed yet.

They are written through a session of the stream's own: each gets its name there, (session, number), before any master
hears of it, and is sent again under that name until one confirms it. So they take effect once and in order, whatever
dies meanwhile. What is held is bounded: when there is no more room nothing is read, and the client's own window stops
it.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import grpc

from tinysns.client.session import Session
from tinysns.domain.writes import Answer, Outcome, Post
from tinysns.rpc.errors import CallFailed

MAX_HELD_POSTS = 256
MAX_HELD_BYTES = 1024 * 1024  # also what one write may have


class HeldPosts:
    """One write is under way at a time, and what comes meanwhile becomes the next one.

    `new_session` is called with the first post: most streams only listen.
    """

    def __init__(self, user: str, new_session: Callable[[], Session]) -> None:
        self._user = user
        self._new_session = new_session
        self._session: Session | None = None
        self._waiting: list[str] = []
        self._waiting_bytes = 0
        self._writing = False
        self._held_posts = 0
        self._held_bytes = 0
        self._changed = asyncio.Event()
        self._failure: BaseException | None = None

    @property
    def held(self) -> int:
        """How many there are."""
        return self._held_posts

    async def add(self, text: str) -> None:
        """Takes one more as soon as there is room for it. Raises what `stored` raises."""
        size = len(text.encode())
        while self._failure is None and not self._has_room(size):
            await self._change()
        self._raise_failure()
        self._waiting.append(text)
        self._waiting_bytes += size
        self._held_posts += 1
        self._held_bytes += size
        self._write()

    async def stored(self) -> None:
        """Returns once all are. Raises CallFailed if nobody has that name, SnsError if it cannot be or was closed."""
        while self._failure is None and self._held_posts:
            await self._change()
        self._raise_failure()

    async def close(self) -> None:
        """What is still held is given up."""
        if self._session is not None:
            await self._session.close()

    def _has_room(self, size: int) -> bool:
        return self._held_posts < MAX_HELD_POSTS and self._held_bytes + size <= MAX_HELD_BYTES

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _write(self) -> None:
        if not self._waiting or self._writing:
            return
        if self._session is None:
            self._session = self._new_session()
        written = partial(self._written, len(self._waiting), self._waiting_bytes)
        answer = self._session.submit(Post(self._user, tuple(self._waiting)))
        answer.add_done_callback(written)
        self._waiting.clear()
        self._waiting_bytes = 0
        self._writing = True

    def _written(self, posts: int, size: int, answer: "asyncio.Future[Answer]") -> None:
        self._writing = False
        if (error := answer.exception()) is not None:
            self._failure = error
        elif answer.result().outcome is not Outcome.DONE:
            sentence = f"there is no user {self._user[:80]!r}; log in with that name first"
            self._failure = CallFailed(grpc.StatusCode.NOT_FOUND, "UNKNOWN_USER", sentence)
        else:
            self._held_posts -= posts
            self._held_bytes -= size
            self._write()
        self._changed.set()
