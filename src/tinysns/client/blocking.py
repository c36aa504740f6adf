"""A blocking face of the client, for scripts: the event loop runs in a thread of its own.

with BlockingClient(["10.67.0.11:3010"]) as client:
    client.login("ada")
    client.post_all("ada", open("lines.txt"))
    for post in client.history("bob"):
        print(post.author, post.text)
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from tinysns.client.client import Client
from tinysns.client.codec import Listing, TimelinePost
from tinysns.client.flow import Flow, packed
from tinysns.client.limits import Limits
from tinysns.client.session import Session
from tinysns.client.waits import Wait
from tinysns.domain.writes import Answer

T = TypeVar("T")


class BlockingClient:
    """One session. Its methods mean what those of Client and Session mean, and raise the same errors.

    They may be called from any thread. `on_wait` is called on the client's own thread.
    """

    def __init__(
        self,
        routers: Sequence[str],
        *,
        limits: Limits | None = None,
        on_wait: Callable[[Wait], None] | None = None,
    ) -> None:
        self._client = Client(routers, limits=limits, on_wait=on_wait)
        self._session: Session
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tinysns client", daemon=True)

    def __enter__(self) -> Self:
        """Raises Unreachable."""
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
        """All of `texts` or none; returns the position of the first."""
        return self._wait(self._session.post(author, texts))

    def post_all(self, author: str, texts: Iterable[str]) -> int:
        """Any number of texts, in order, several batches in flight; returns how many. An error says it in `posted`."""
        flow = Flow(self._session, author)
        for batch in packed(texts):
            self._wait(flow.add(batch))
        return self._wait(flow.finish())

    def history(
        self, user: str, after_position: int = 0, *, newest: int = 0, only: Sequence[str] = ()
    ) -> list[TimelinePost]:
        """All posts of the timeline up to now; with `newest`, only from the last so many on."""
        return self._wait(self._client.history(user, after_position, newest=newest, only=only))

    def timeline(self, user: str, after_position: int = 0, *, only: Sequence[str] = ()) -> Iterator[TimelinePost]:
        """Waits for new posts for ever; leave the loop to end it."""
        batches = self._client.timeline_batches(user, after_position, only=only)
        try:
            while True:
                yield from self._wait(anext(batches))
        finally:
            if self._thread.is_alive():  # else the client was left first, and has closed it
                self._wait(batches.aclose())

    def list(self, user: str) -> Listing:
        return self._wait(self._client.list(user))

    async def _enter(self) -> None:
        await self._client.__aenter__()
        self._session = self._client.session()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` on the client's loop. Ctrl-C ends it before it ends the waiting."""
        if not self._thread.is_alive():
            work.close()
            raise RuntimeError("a BlockingClient works within its context: with BlockingClient(...) as client")
        tasks, ended = list[asyncio.Task[T]](), threading.Event()

        def start() -> None:
            task = self._loop.create_task(work)
            task.add_done_callback(lambda _: ended.set())
            tasks.append(task)

        self._loop.call_soon_threadsafe(start)
        try:
            ended.wait()
        except BaseException:  # nobody will take the result any more, and nothing may go on unseen
            self._loop.call_soon_threadsafe(lambda: tasks[0].cancel())
            ended.wait()
            raise
        return tasks[0].result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())  # timelines that nobody reads any more
        self._loop.close()
