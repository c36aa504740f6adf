"""Consistent views of the state for readers in other threads, across an exchange of the file under them."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Protocol

from tinysns.storage.schema import connect, read_applied_index


class Source(Protocol):
    """Says which file is in force: the StateMachine."""

    def database(self) -> Path: ...


@dataclass(frozen=True, slots=True)
class View:
    """A read transaction: all that is read through it is as it was right after entry `applied_index`."""

    database: sqlite3.Connection
    applied_index: int


@dataclass(frozen=True, slots=True)
class _Connection:
    path: Path
    database: sqlite3.Connection


class Views:
    """A pool of read-only connections, as many as are used at once. Safe for any number of threads."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._idle: LifoQueue[_Connection] = LifoQueue()

    @contextmanager
    def view(self) -> Iterator[View]:
        """Raises sqlite3.Error."""
        connection, applied_index = self._begin()
        try:
            yield View(connection.database, applied_index)
            connection.database.execute("COMMIT")
        except BaseException:  # whatever it is: a connection inside a transaction must not go back to the pool
            connection.database.close()
            raise
        self._idle.put(connection)

    def close(self) -> None:
        """Closes the connections that are not in use."""
        with suppress(Empty):
            while True:
                self._idle.get_nowait().database.close()

    def _begin(self) -> tuple[_Connection, int]:
        while True:
            path = self._source.database()
            connection: _Connection | None = None
            try:
                connection = self._take(path)
                connection.database.execute("BEGIN")
                applied_index = read_applied_index(connection.database)
                # A file that is being removed may have lost its write-ahead log already and show an old state: only
                # while it is still in force is what we opened surely whole.
                if self._source.database() == path:
                    return connection, applied_index
            except sqlite3.Error:
                if self._source.database() == path:
                    raise
            if connection is not None:
                connection.database.close()

    def _take(self, path: Path) -> _Connection:
        with suppress(Empty):
            while True:
                connection = self._idle.get_nowait()
                if connection.path == path:
                    return connection
                connection.database.close()
        return _Connection(path, connect(path, read_only=True))
