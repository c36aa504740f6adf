"""Timelines: all posts of those whom a user follows, from a cursor on, in log order, without a gap or a double.

History and live are one path. A timeline pages through SQLite from its cursor while the hub queues what is new, then
goes on from the queue; whatever it finds at or below its cursor, per post, it has sent or must not send. If the queue
ran over (a slow reader), or the state was replaced, it pages again. The same rule serves a client that comes from
another master with a cursor that is ahead of this one.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress

import grpc

from tinysns.domain.positions import end_of
from tinysns.replication.interface import NotServing
from tinysns.rpc.errors import CallFailed
from tinysns.sns.batches import BATCH_BYTES, Batch, split, weight_bytes
from tinysns.sns.counters import Counters
from tinysns.sns.fanout import Hub
from tinysns.sns.reads import Reads
from tinysns.storage.reader import StoredPost

# A page's size follows what it weighs, so that long posts do not fill the memory and short ones cost few queries.
_FIRST_PAGE_POSTS = 64
_MOST_PAGE_POSTS = 2048
_LEAST_PAGE_POSTS = 8


class Timelines:
    """Opens timelines."""

    def __init__(self, hub: Hub, reads: Reads, counters: Counters) -> None:
        self._hub = hub
        self._reads = reads
        self._counters = counters

    def is_open(self, user: str) -> bool:
        """Whether this user has a timeline open on this master."""
        return self._hub.hears_for(user)

    @contextmanager
    def timeline(self, user: str, after_position: int = 0) -> Iterator["Timeline"]:
        """A timeline for as long as the context lasts; `open` it first."""
        timeline = Timeline(self._hub, user, self._reads, after_position)
        self._counters.stream_opened()
        try:
            yield timeline
        finally:
            self._counters.stream_closed()
            timeline.close()


class Timeline:
    """One reader's timeline. Each method raises NotServing when this master stops serving; see `serve_again` for what
    then."""

    def __init__(self, hub: Hub, user: str, reads: Reads, cursor: int) -> None:
        self._hub = hub
        self._subscription = hub.open(user)
        self._reads = reads
        self._user = user
        self._cursor = cursor  # all up to it was sent, or is not for this reader
        self._page_posts = _FIRST_PAGE_POSTS

    @property
    def cursor(self) -> int:
        """Where another timeline of this user goes on behind what this one gave out."""
        return self._cursor

    async def open(self) -> None:
        """Makes sure that nothing older than the call is missed.

        Raises CallFailed if nobody has that name, or if the cursor is ahead of all there is.
        """
        await self._reads.barrier()
        await self._join()
        # Whoever follows somebody is known.
        if not self._subscription.following and not await self._reads.knows(self._user):
            raise unknown_user(self._user)
        # The view is newer than the call, so what this cluster has ever shown to anybody is in it.
        if self._cursor > end_of(self._subscription.following_index):
            raise CallFailed(
                grpc.StatusCode.OUT_OF_RANGE,
                "CURSOR_AHEAD",
                f"the cursor {self._cursor} is ahead of all posts of this cluster: it comes from another one, or from a"
                " state that was lost; begin again from 0",
            )

    def close(self) -> None:
        self._hub.close(self._subscription)

    async def serve_again(self) -> None:
        """Behind NotServing: returns once this master serves again; `groups` goes on from the cursor.

        Raises NotServing if the master is stopping.
        """
        while True:
            await self._reads.serving()
            self.close()
            self._subscription = self._hub.open(self._user)
            with suppress(NotServing):
                return await self.open()

    async def skip_to_newest(self, count: int) -> None:
        """Moves the cursor forward to where only the newest `count` posts of those followed now are behind it."""
        start = await self._reads.start_of_newest(self._user, count)
        self._cursor = max(self._cursor, start - 1)

    async def history(self) -> AsyncIterator[list[Batch]]:
        """What there was when it was opened, and perhaps a little of what came later."""
        async for batch in self._older(self._subscription.following_index):
            yield [batch]

    async def newest(self, limit: int) -> Sequence[StoredPost]:
        """The newest posts, newest first; `groups` goes on behind them."""
        page = await self._reads.newest(self._user, limit)
        self._cursor = max(self._cursor, end_of(page.applied_index))
        return sorted(page.posts, key=lambda post: post.position, reverse=True)

    async def groups(self, heartbeat_seconds: float | None = None) -> AsyncIterator[list[Batch]]:
        """What to send, each group about BATCH_BYTES at most; an empty one after so long a silence. Never ends."""
        subscription = self._subscription
        while True:
            if not subscription.joined:
                await self._join()
            if not subscription.collecting:
                subscription.collect()
                # The queue holds what is heard from now on. What is heard up to following_index went through a set of
                # authors that is newer than it, so it must come from SQLite, too.
                async for batch in self._older(max(self._hub.index, subscription.following_index)):
                    yield [batch]
            if not await subscription.wait(heartbeat_seconds):
                yield []
            elif group := self._not_sent(subscription.take()):
                yield group

    async def _join(self) -> None:
        """Learns whom the user follows; a state that is installed meanwhile makes the view useless."""
        subscription = self._subscription
        while not subscription.joined:
            subscription.check()
            index, following = await self._reads.following(self._user)
            if index >= subscription.since_index:
                self._hub.join(subscription, index, following)

    async def _older(self, index: int) -> AsyncIterator[Batch]:
        """Pages from SQLite, up to this index of the log at least."""
        while True:
            self._subscription.check()
            limit = self._page_posts
            page = await self._reads.timeline(self._user, self._cursor, limit)
            for batch in self._not_sent(split(page.posts)):
                yield batch
            complete = len(page.posts) < limit
            if page.applied_index >= index and (complete or self._cursor >= end_of(index)):
                if complete:
                    self._cursor = max(self._cursor, end_of(page.applied_index))
                return
            self._page_posts = _next_page_posts(limit, page.posts)

    def _not_sent(self, batches: Iterator[Batch] | list[Batch]) -> list[Batch]:
        """The posts behind the cursor, which moves to the last of them."""
        found: list[Batch] = []
        for batch in batches:
            if rest := batch.after(self._cursor):
                self._cursor = rest.last_position
                found.append(rest)
        return found


def unknown_user(user: str) -> CallFailed:
    """For reads by somebody who never logged in."""
    return CallFailed(
        grpc.StatusCode.NOT_FOUND, "UNKNOWN_USER", f"there is no user {user[:80]!r}; log in with that name first"
    )


def _next_page_posts(limit: int, posts: Sequence[StoredPost]) -> int:
    weight = sum(weight_bytes(post.text) for post in posts)
    if weight > 4 * BATCH_BYTES:
        return max(_LEAST_PAGE_POSTS, limit // 4)
    if weight < BATCH_BYTES:
        return min(_MOST_PAGE_POSTS, limit * 2)
    return limit
