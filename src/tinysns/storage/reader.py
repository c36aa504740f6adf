"""Questions to the state, for any thread: each answer is one consistent view and says at which log index it was taken.

A user sees a post if its position lies inside an interval in which he followed its author (schema.py, follows). His own
posts never come that way: nobody has an interval for himself.

A timeline is merged here from the authors' own sequences, each read by the index (author, position) and in pieces,
because SQL has no way to stop early: one join with ORDER BY and LIMIT reads all posts behind the cursor and sorts them.
So a page costs by its own length and the number of authors followed, never by the number of posts there are.
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from sqlite3 import Connection
from typing import NamedTuple

from tinysns.domain.writes import SESSION_LIFETIME_ENTRIES
from tinysns.storage.schema import FOREVER
from tinysns.storage.views import Source, View, Views


class StoredPost(NamedTuple):
    """A post. A tuple, not a dataclass: thousands of them are made and compared for each page, position first."""

    position: int
    author: str
    time_unix_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """`posts` by ascending position. Fewer than asked for: there are no more up to `applied_index`."""

    applied_index: int
    posts: tuple[StoredPost, ...]


@dataclass(frozen=True, slots=True)
class Lists:
    """Sorted names. `followers` has the user itself, `following` has not; both are empty unless the user is `known`."""

    applied_index: int
    known: bool
    users: tuple[str, ...]
    followers: tuple[str, ...]
    following: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Of one user: sorted names, its own in both."""

    followers: tuple[str, ...]
    following: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is. Posts are not among it: to count them is to read them all."""

    applied_index: int
    users: int
    follows: int
    sessions: int


# Only authors with something to see between the cursor and the end of their interval: for a reader who is up to date
# this one statement, some microseconds for each author, is the whole cost.
_INTERVALS = """
SELECT target, max(since, ?2), until FROM follows
WHERE user = ?1 AND until > ?2 AND until >= ?3
  AND EXISTS (SELECT 1 FROM posts WHERE author = target AND position > max(since, ?2) AND position < until)
"""
# A name stands thrice for itself, and each follow is two names; names are ASCII.
_NEIGHBOURS_BYTES = f"""
SELECT coalesce((SELECT 3 * sum(length(name)) FROM users), 0)
  + coalesce((SELECT sum(length(user) + length(target)) FROM follows WHERE until = {FOREVER}), 0)
"""
_RUN = """
SELECT position, author, time_unix_ns, text FROM posts
WHERE author = ? AND position > ? AND position < ? ORDER BY position {} LIMIT ?
"""
_RUN_ASCENDING, _RUN_DESCENDING = _RUN.format("ASC"), _RUN.format("DESC")


class Reader:
    """Safe for any number of threads at once. All methods block and may raise sqlite3.Error."""

    def __init__(self, source: Source) -> None:
        self._views = Views(source)

    def close(self) -> None:
        """Closes what is not in use."""
        self._views.close()

    def timeline(self, user: str, after_position: int, limit: int) -> Page:
        """The next posts behind a cursor that the user sees, also those of authors whom he has left since."""
        with self._views.view() as view:
            runs = [
                _ascending(view.database, author, low, high, size)
                for author, low, high, size in _intervals(view, user, min(after_position, FOREVER), 0, limit)
            ]
            return Page(view.applied_index, tuple(islice(heapq.merge(*runs), limit)))

    def newest(self, user: str, limit: int) -> Page:
        """The last posts of those whom the user follows now, none from before the follow."""
        with self._views.view() as view:
            runs = [
                _descending(view.database, author, low, high, size)
                for author, low, high, size in _intervals(view, user, 0, FOREVER, limit)
            ]
            last = list(islice(heapq.merge(*runs, reverse=True), limit))
            return Page(view.applied_index, tuple(reversed(last)))

    def start_of_newest(self, user: str, count: int) -> int:
        """The position of the oldest of the last `count` posts of those whom the user follows now; 0: there is none."""
        with self._views.view() as view:
            intervals = _intervals(view, user, 0, FOREVER, count)
            runs = [_positions(view.database, author, low, high, count) for author, low, high, _ in intervals]
            return min(heapq.nlargest(count, chain.from_iterable(runs)), default=0)

    def following(self, user: str) -> tuple[int, frozenset[str]]:
        """The applied index, and whom the user follows at it (not itself)."""
        with self._views.view() as view:
            return view.applied_index, frozenset(_following(view.database, user))

    def knows(self, user: str) -> bool:
        """Whether somebody of that name has ever logged in."""
        with self._views.view() as view:
            return bool(_names(view.database, "SELECT name FROM users WHERE name = ?", user))

    def lists(self, user: str) -> Lists:
        """All users, and this one's followers and followed."""
        with self._views.view() as view:
            users = _names(view.database, "SELECT name FROM users ORDER BY name")
            if not _names(view.database, "SELECT name FROM users WHERE name = ?", user):
                return Lists(view.applied_index, False, users, (), ())
            followers = _names(view.database, f"SELECT user FROM follows WHERE target = ? AND until = {FOREVER}", user)
            following = _following(view.database, user)
            return Lists(view.applied_index, True, users, tuple(sorted((*followers, user))), tuple(sorted(following)))

    def neighbours(self, most_bytes: int) -> dict[str, Neighbours] | None:
        """Of all users, by name. None if that is more than so many bytes of names: then nothing of it was read."""
        with self._views.view() as view:
            ((size,),) = view.database.execute(_NEIGHBOURS_BYTES)
            if size > most_bytes:
                return None
            users = _names(view.database, "SELECT name FROM users ORDER BY name")
            followers = {user: [user] for user in users}
            following = {user: [user] for user in users}
            follows = view.database.execute(f"SELECT target, user FROM follows WHERE until = {FOREVER}")
            for target, user in follows:
                followers[target].append(user)
                following[user].append(target)
            return {u: Neighbours(tuple(sorted(followers[u])), tuple(sorted(following[u]))) for u in users}

    def counts(self) -> Counts:
        """How much there is."""
        with self._views.view() as view:
            users, follows, sessions = view.database.execute(
                "SELECT (SELECT count(*) FROM users),"
                f" (SELECT count(*) FROM follows WHERE until = {FOREVER}),"
                " (SELECT count(*) FROM sessions)"
            ).fetchone()
            return Counts(view.applied_index, users, follows, sessions)

    def digest(self) -> tuple[int, str]:
        """The applied index and the SHA-256 (hex) of all of the state: members at the same index must agree."""
        with self._views.view() as view:
            return view.applied_index, _digest(view)


def _intervals(
    view: View, user: str, after_position: int, until_at_least: int, limit: int
) -> list[tuple[str, int, int, int]]:
    """(author, low, high, posts to read first) for each interval that has posts with low < position < high."""
    found = view.database.execute(_INTERVALS, (user, after_position, until_at_least)).fetchall()
    # Twice the even share: one author rarely fills the page alone, and if he does, the pieces grow.
    size = max(4, min(limit, 2 * limit // max(1, len(found))))
    return [(author, low, high, size) for author, low, high in found]


def _ascending(database: Connection, author: str, low: int, high: int, size: int) -> Iterator[StoredPost]:
    while True:
        rows = database.execute(_RUN_ASCENDING, (author, low, high, size)).fetchall()
        yield from map(StoredPost._make, rows)
        if len(rows) < size:
            return
        low = rows[-1][0]
        size *= 2


def _descending(database: Connection, author: str, low: int, high: int, size: int) -> Iterator[StoredPost]:
    while True:
        rows = database.execute(_RUN_DESCENDING, (author, low, high, size)).fetchall()
        yield from map(StoredPost._make, rows)
        if len(rows) < size:
            return
        high = rows[-1][0]
        size *= 2


def _positions(database: Connection, author: str, low: int, high: int, count: int) -> Iterator[int]:
    """Of the newest posts, newest first."""
    rows = database.execute(
        "SELECT position FROM posts WHERE author = ? AND position > ? AND position < ? ORDER BY position DESC LIMIT ?",
        (author, low, high, count),
    )
    return (position for (position,) in rows)


def _following(database: Connection, user: str) -> tuple[str, ...]:
    return _names(database, f"SELECT target FROM follows WHERE user = ? AND until = {FOREVER}", user)


def _names(database: Connection, query: str, *parameters: str) -> tuple[str, ...]:
    return tuple(name for (name,) in database.execute(query, parameters))


def _digest(view: View) -> str:
    """Over every row but expired sessions, which members drop at different times."""
    first_alive = view.applied_index - SESSION_LIFETIME_ENTRIES
    tables: list[Iterable[tuple[str | int | bytes, ...]]] = [
        view.database.execute("SELECT name, since FROM users ORDER BY name"),
        view.database.execute("SELECT user, target, since, until FROM follows ORDER BY user, target, since"),
        view.database.execute("SELECT author, position, time_unix_ns, text FROM posts ORDER BY author, position"),
        view.database.execute(
            "SELECT session, last, used_index, answers FROM sessions WHERE used_index >= ? ORDER BY session",
            (first_alive,),
        ),
    ]
    digest = hashlib.sha256()
    for rows in tables:
        digest.update(b"table\n")
        for row in rows:
            for value in row:
                data = value if isinstance(value, bytes) else str(value).encode()
                digest.update(b"%d:" % len(data))  # lengths, as a text may hold any separator
                digest.update(data)
    return digest.hexdigest()
