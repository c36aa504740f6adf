"""The hub: hears in log order what was applied at this master, and hands each post to the timelines that show it.

A follow or an unfollow counts for open timelines exactly at its place in the log, because posts and follows come
through here in one order. Whom a user follows when a timeline opens is read from SQLite, which is ahead of what the hub
has heard (it commits first). To hear again what that view knows already does no harm: once all of it was heard, the set
is the view's again, and posts from up to there come from SQLite, never from here (timelines.py).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from tinysns.domain.writes import Effect, Follow, Outcome, Post, Unfollow
from tinysns.replication.interface import NotServing
from tinysns.sns.batches import BATCH_BYTES, Batch, split
from tinysns.storage.reader import StoredPost

# Of one timeline. A reader that is further behind reads from SQLite again.
MAX_QUEUED_BYTES = 2 * 1024 * 1024


class Subscription:
    """What one open timeline has to hear. The hub fills it, the timeline empties it; both on the event loop.

    Whoever uses it goes through: join (`joined`), `collect`, page from SQLite what is older, then `take`. Either of the
    first two has to be done again when `joined` or `collecting` turn false.
    """

    def __init__(self, user: str, index: int) -> None:
        self.user = user
        self.since_index = index  # effects beyond it were heard; a view of whom the user follows must not be older
        self.joined = False
        self.collecting = False
        self.following: set[str] = set()
        self.following_index = 0  # of the view that `following` began with
        self.early: list[Effect] = []  # follows and unfollows heard before `joined`
        self._queue: deque[Batch] = deque()
        self._queued_bytes = 0
        self._news = asyncio.Event()
        self._ended: str | None = None

    # -- by the hub ----------------------------------------------------------------------------------------------------

    def offer(self, batch: Batch) -> None:
        """Queues a post, or forgets the queue if the reader is too slow for it."""
        if not self.collecting:
            return
        self._queue.append(batch)
        self._queued_bytes += batch.weight_bytes
        if self._queued_bytes > MAX_QUEUED_BYTES:
            self._drop()
        self._news.set()

    def restart(self, index: int) -> None:
        """The state was replaced by one at `index`: nothing that was heard before counts any more."""
        self._drop()
        self.since_index = index
        self.joined = False
        self.early.clear()
        self._news.set()

    def end(self, sentence: str) -> None:
        """The timeline gets NotServing(sentence) next."""
        self._ended = sentence
        self._news.set()

    # -- by the timeline -----------------------------------------------------------------------------------------------

    def collect(self) -> None:
        """From now on posts are queued."""
        self.collecting = True

    def check(self) -> None:
        """Raises NotServing if this master stopped serving since the subscription began."""
        if self._ended is not None:
            raise NotServing(self._ended)

    async def wait(self, silence_seconds: float | None) -> bool:
        """Returns once there is something to `take` or to do again. False: nothing came for so long."""
        self.check()
        try:
            async with asyncio.timeout(silence_seconds):
                await self._news.wait()
        except TimeoutError:
            return False
        self.check()
        return True

    def take(self) -> list[Batch]:
        """What waits, up to about BATCH_BYTES."""
        taken: list[Batch] = []
        size = 0
        while self._queue and (not taken or size + self._queue[0].weight_bytes <= BATCH_BYTES):
            batch = self._queue.popleft()
            size += batch.weight_bytes
            taken.append(batch)
        self._queued_bytes -= size
        if not self._queue:
            self._news.clear()
        return taken

    @property
    def queued_bytes(self) -> int:
        return self._queued_bytes

    def _drop(self) -> None:
        self.collecting = False
        self._queue.clear()
        self._queued_bytes = 0


class Hub:
    """Satisfies replication.interface.Listener."""

    def __init__(self) -> None:
        self.index = 0
        """Effects up to this log index were heard; 0 before the first."""
        self._by_user: dict[str, set[Subscription]] = {}
        self._by_author: dict[str, set[Subscription]] = {}
        self._refusals: set[Callable[[NotServing], None]] = set()

    # -- as Listener ---------------------------------------------------------------------------------------------------

    def applied(self, effects: Sequence[Effect], applied_index: int) -> None:
        for effect in effects:
            if not effect.fresh or effect.answer.outcome is not Outcome.DONE:
                continue
            match effect.command.write:
                case Post(author, texts):
                    if subscriptions := self._by_author.get(author):
                        _hand_out(split(_posts(effect, author, texts)), subscriptions)
                case Follow(user) | Unfollow(user):
                    for subscription in self._by_user.get(user, ()):
                        self._hear(subscription, effect)
        self.index = applied_index

    def installed(self, applied_index: int) -> None:
        self.index = applied_index
        self._by_author.clear()
        for subscription in self._all():
            subscription.following.clear()
            subscription.restart(applied_index)

    def refusing(self, sentence: str) -> None:
        for subscription in self._all():
            subscription.end(sentence)
        for tell in list(self._refusals):
            tell(NotServing(sentence))

    # -- for timelines and other streams -------------------------------------------------------------------------------

    def open(self, user: str) -> Subscription:
        """Hears for this user from now on; must be closed."""
        subscription = Subscription(user, self.index)
        self._by_user.setdefault(user, set()).add(subscription)
        return subscription

    def close(self, subscription: Subscription) -> None:
        """Ends what `open` began."""
        for author in list(subscription.following):
            self._unfollow(subscription, author)
        _discard(self._by_user, subscription.user, subscription)

    def join(self, subscription: Subscription, index: int, following: Iterable[str]) -> None:
        """The user of this subscription follows these, as a view at `index` (not before its `since_index`) shows it."""
        subscription.following_index = index
        for author in following:
            self._follow(subscription, author)
        subscription.joined = True
        early, subscription.early = subscription.early, []
        for effect in early:
            self._hear(subscription, effect)

    @contextmanager
    def refusal(self, tell: Callable[[NotServing], None]) -> Iterator[None]:
        """Inside, `tell` is called when this master stops serving."""
        self._refusals.add(tell)
        try:
            yield
        finally:
            self._refusals.discard(tell)

    def hears_for(self, user: str) -> bool:
        """Whether anything is open for this user."""
        return user in self._by_user

    @property
    def subscriptions(self) -> int:
        return sum(map(len, self._by_user.values()))

    def _all(self) -> Iterator[Subscription]:
        return (subscription for subscriptions in self._by_user.values() for subscription in subscriptions)

    def _hear(self, subscription: Subscription, effect: Effect) -> None:
        if not subscription.joined:
            subscription.early.append(effect)
            return
        match effect.command.write:
            case Follow(_, target):
                self._follow(subscription, target)
            case Unfollow(_, target):
                self._unfollow(subscription, target)

    def _follow(self, subscription: Subscription, author: str) -> None:
        # Never the user itself: nobody can follow himself in the log, so an author gets no echo.
        subscription.following.add(author)
        self._by_author.setdefault(author, set()).add(subscription)

    def _unfollow(self, subscription: Subscription, author: str) -> None:
        subscription.following.discard(author)
        _discard(self._by_author, author, subscription)


def _posts(effect: Effect, author: str, texts: Sequence[str]) -> Iterator[StoredPost]:
    position = effect.answer.position
    return (StoredPost(position + i, author, effect.time_unix_ns, text) for i, text in enumerate(texts))


def _hand_out(batches: Iterable[Batch], subscriptions: Iterable[Subscription]) -> None:
    for batch in batches:
        for subscription in subscriptions:
            subscription.offer(batch)


def _discard(index: dict[str, set[Subscription]], key: str, subscription: Subscription) -> None:
    if subscriptions := index.get(key):
        subscriptions.discard(subscription)
        if not subscriptions:
            del index[key]
