"""Flows: any number of posts of one author, in batches, several of them in flight, in order.

Flow control is the session's window: `add` waits while it is full, so a slow service slows its source down and nothing
piles up. Batches take effect in order, so what is certain after a failure is always a beginning of what was to be
posted.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tinysns.client.errors import Indefinite, SnsError, refusal
from tinysns.domain.writes import Answer, Post, Write

# More than that gains nothing, and what is in flight is sent again when a master dies: 4 MiB with a full window.
_BATCH_POSTS = 64
_BATCH_BYTES = 64 * 1024


class Window(Protocol):
    """What a flow needs of a session."""

    async def room(self) -> None: ...

    def submit(self, write: Write) -> asyncio.Future[Answer]: ...


@dataclass(frozen=True, slots=True)
class _Batch:
    post: Post
    answer: asyncio.Future[Answer]

    def error(self) -> SnsError | None:
        """Why it did not take effect, or None; it must be answered."""
        error = self.answer.exception()
        if error is None:
            return refusal(self.post, self.answer.result().outcome)
        if not isinstance(error, SnsError):
            raise error
        return error


class Flow:
    """One author's posts on their way through a session. After an error it is over."""

    def __init__(self, window: Window, author: str) -> None:
        self._window = window
        self._author = author
        self._flying: deque[_Batch] = deque()
        self._posted = 0

    async def add(self, texts: Sequence[str]) -> None:
        """Sends one batch as soon as the window has room. Raises SnsError, also for an earlier batch: see `finish`."""
        try:
            while self._flying and self._flying[0].answer.done():
                self._settle()
            await self._window.room()
            post = Post(self._author, tuple(texts))
            answer = self._window.submit(post)
            answer.add_done_callback(_looked_at)
            self._flying.append(_Batch(post, answer))
        except SnsError as e:
            raise await self._account(e) from None

    async def finish(self) -> int:
        """Returns how many posts were sent, once all are answered. Raises SnsError.

        `posted` in the error says how many took effect for certain, the first ones. It is Indefinite unless it is
        certain that none behind those did.
        """
        try:
            while self._flying:
                await asyncio.wait((self._flying[0].answer,))
                self._settle()
        except SnsError as e:
            raise await self._account(e) from None
        return self._posted

    @property
    def posted(self) -> int:
        """How many posts took effect for certain until now, the first ones."""
        while self._flying and self._flying[0].answer.done() and self._flying[0].error() is None:
            self._settle()
        return self._posted

    def _settle(self) -> None:
        if error := self._flying[0].error():
            raise error
        self._posted += len(self._flying.popleft().post.texts)

    async def _account(self, error: SnsError) -> SnsError:
        """The error to raise, once the fate of everything on its way is known: each has its deadline."""
        if self._flying:
            await asyncio.wait([batch.answer for batch in self._flying])
        error.posted = self.posted
        errors = [batch.error() for batch in self._flying]
        if error.definite and not all(e is not None and e.definite for e in errors):
            posted, error = error.posted, Indefinite(f"{error}; posts behind that may have taken effect")
            error.posted = posted
        return error


def _looked_at(answer: asyncio.Future[Answer]) -> None:
    """Whoever leaves a flow in the middle does not want to hear about the rest (asyncio would complain)."""
    if not answer.cancelled():
        answer.exception()


def packed(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Batches of a size that suits a window."""
    batch, size_bytes = list[str](), 0
    for text in texts:
        text_bytes = len(text.encode(errors="surrogatepass"))  # what is no UTF-8 is refused when it is sent
        if batch and (len(batch) == _BATCH_POSTS or size_bytes + text_bytes > _BATCH_BYTES):
            yield tuple(batch)
            batch, size_bytes = [], 0
        batch.append(text)
        size_bytes += text_bytes
    if batch:
        yield tuple(batch)
