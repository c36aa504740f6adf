"""A blocking face of the client, for scripts: the event loop runs in a thread of its own.

with BlockingClient(["10.67.0.11:3010"]) as client:
    client.login("ada")
    client.post("ada", ["hello"])
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from tinysns.client.client import Client
from tinysns.client.codec import Listing, TimelinePost
from tinysns.client.session import Limits, Session
from tinysns.domain.writes import Answer

T = TypeVar("T")


class BlockingClient:
    """One session. Its methods may be called from any thread; the errors are those of Client and Session."""

    _session: Session

    def __init__(self, routers: Sequence[str], *, limits: Limits | None = None) -> None:
        self._routers, self._limits = routers, limits
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tinysns client", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._wait(self._enter())
        except BaseException:  # whatever it was, the thread must not outlive it
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._wait(self._client.__aexit__(kind, error, traceback))
        finally:
            self._stop()

    def login(self, user: str) -> Answer:
        return self._wait(self._session.login(user))

    def follow(self, user: str, target: str) -> Answer:
        return self._wait(self._session.follow(user, target))

    def unfollow(self, user: str, target: str) -> Answer:
        return self._wait(self._session.unfollow(user, target))

    def post(self, author: str, texts: Sequence[str]) -> int:
        return self._wait(self._session.post(author, texts))

    def list(self, user: str) -> Listing:
        return self._wait(self._client.list(user))

    def timeline(self, user: str, after_position: int = 0) -> Iterator[TimelinePost]:
        """Waits for new posts for ever; leave the loop to end it."""
        posts = self._client.timeline(user, after_position)
        try:
            while True:
                try:
                    yield self._wait(anext(posts))
                except StopAsyncIteration:
                    return
        finally:
            self._wait(posts.aclose())

    async def _enter(self) -> None:
        self._client = await Client(self._routers, limits=self._limits).__aenter__()
        self._session = self._client.session()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
