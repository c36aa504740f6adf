"""The durable state machine: applies the log to SQLite, checkpoints it, and can be replaced by another member's copy.

Durability. Commits do not wait for the disk (WAL, synchronous=NORMAL): a kill loses nothing that was committed, a power
cut takes the file back to some earlier transaction, and in either case the replicated log is replayed from
`applied_index`, which is part of every transaction. So the log may be cut only behind what `checkpoint` returned.
"""

import shutil
import sqlite3
import threading
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Self

from tinysns.domain.writes import Effect
from tinysns.storage.copies import Staged, Staging, copy_state
from tinysns.storage.disk import sync_file, sync_folder
from tinysns.storage.entries import decode_entry
from tinysns.storage.layout import (
    DATABASE,
    INCOMING,
    Step,
    database_in_force,
    no_step,
    put_in_force,
    remove_leftovers,
)
from tinysns.storage.ledger import Changes, Ledger
from tinysns.storage.schema import (
    FOREVER,
    StateError,
    check_belongs,
    connect,
    read_applied_index,
    read_installed_index,
    signed,
    unsigned,
    write_empty,
)
from tinysns.storage.sessions import Session, answers_from_blob

# Above this the write-ahead log is emptied, which makes writers wait for some milliseconds.
WAL_LIMIT_BYTES = 64 * 1024 * 1024
# How long emptying it may wait for readers, while it keeps writers waiting: it is tried again with the next checkpoint.
_TRUNCATE_WAIT_SECONDS = 0.02

_POSTS_PER_STATEMENT = 128
_MAX_TIME = (1 << 63) - 1


class StateMachine:
    """The state of one master.

    `apply` and `install` are called from one thread at a time; `checkpoint`, `copy_to` and the properties from any.
    sqlite3.Error and OSError from any of them mean that the disk cannot be trusted: stop the process (ARCHITECTURE.md,
    rule 8).
    """

    def __init__(self, folder: Path, cluster_id: str) -> None:
        """Use `open` or `create`."""
        self._folder = folder
        self._cluster_id = cluster_id
        self._applied_index = self._installed_index = 0
        self._broken = False
        # Held by `checkpoint` and while `install` exchanges the connections.
        self._switching = threading.Lock()
        database = database_in_force(folder)
        if database is None:
            raise StateError(f"there is no state in {folder}; found this master first, or restore its data folder")
        remove_leftovers(folder)
        self._use(_Opened(database, cluster_id))

    @classmethod
    def create(cls, folder: Path, cluster_id: str, step: Step = no_step) -> Self:
        """Makes an empty state and opens it. Raises StateError if there is one already."""
        folder.mkdir(parents=True, exist_ok=True)
        if database_in_force(folder) is not None:
            raise StateError(f"there is a state in {folder} already; it is not replaced by an empty one")
        remove_leftovers(folder)
        draft = folder / INCOMING
        draft.mkdir()
        write_empty(draft / DATABASE, cluster_id)
        sync_file(draft / DATABASE)
        put_in_force(folder, draft, 0, step)
        sync_folder(folder.parent)
        return cls(folder, cluster_id)

    @classmethod
    def open(cls, folder: Path, cluster_id: str) -> Self:
        """Opens the state in force. Raises StateError, ForeignState or UnknownSchema."""
        return cls(folder, cluster_id)

    def close(self) -> None:
        """Ends the use of the file; what was applied stays."""
        with self._switching:
            self._opened.close()

    def database(self) -> Path:
        """The file in force now; another one after `install`. What a Reader follows."""
        return self._opened.path

    @property
    def applied_index(self) -> int:
        """The log index up to which everything is committed."""
        return self._applied_index

    @property
    def installed_index(self) -> int:
        """Where the copy stood from which this state began; 0 if it began empty."""
        return self._installed_index

    def apply(self, entries: Sequence[tuple[int, bytes]], applied_index: int) -> list[Effect]:
        """Applies entries (index, bytes) in log order, in one transaction; returns what came of each of their commands.

        Entries at or below `applied_index` of the state are skipped. The state stands at the argument `applied_index`
        afterwards: it may be beyond the last entry, as raft has entries of its own. Raises UnreadableEntry.
        """
        if self._broken:
            raise StateError("an earlier write to the state failed; restart this master, it replays the log")
        if applied_index <= self._applied_index:
            return []
        decoded = [(index, *decode_entry(data)) for index, data in entries if index > self._applied_index]
        changes = Changes()
        effects: list[Effect] = []
        # From here on an exception leaves the ledger ahead of the file.
        self._broken = True
        for index, time_unix_ns, commands in decoded:
            effects += self._ledger.execute(index, min(time_unix_ns, _MAX_TIME), commands, changes)
        self._ledger.forget_expired(applied_index, changes)
        self._write(changes, applied_index)
        self._broken = False
        self._applied_index = applied_index
        return effects

    def checkpoint(self) -> int:
        """Flushes to disk; returns the applied index that survives a power cut from now on.

        The write-ahead log itself is synced first. A passive checkpoint would do that too, but only if there is a page
        that no reader is in the way of (walCheckpoint in SQLite's wal.c), and says "not busy" all the same; and readers
        must not keep the replicated log from being cut. A commit is a run of frames with checksums from the head of the
        log (https://www.sqlite.org/fileformat2.html#walformat), and the log is begun anew only once all of it was moved
        to the database and synced there (https://www.sqlite.org/wal.html#ckpt). So what was committed before the sync
        is found again, in one file or the other.
        """
        with self._switching:
            applied_index = self._applied_index
            opened = self._opened
            sync_file(opened.write_ahead_log)
            opened.checkpointer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if opened.write_ahead_log.stat().st_size > WAL_LIMIT_BYTES:
                # While writers never pause and readers never leave, nothing else makes the file begin anew.
                opened.checkpointer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return applied_index

    def copy_to(self, target: Path) -> int:
        """Writes a consistent, synced copy to a new file while applying goes on; returns its applied index."""
        return copy_state(self, target)

    def stage(self) -> Staging:
        """Begins to receive another member's copy; an unfinished earlier one is dropped."""
        return Staging(self._folder, self._cluster_id)

    def install(self, file: Staged, step: Step = no_step) -> None:
        """Replaces the state by a staged copy: durable before it returns, all or nothing across a crash."""
        old = self._opened
        database = put_in_force(self._folder, file.folder, file.applied_index, step)
        new = _Opened(database, self._cluster_id)
        step("opened")
        with self._switching:
            self._use(new)
            old.close()
        # Only now: a reader that opens the old file while it goes must find that it is not in force any more.
        shutil.rmtree(old.path.parent)
        step("removed")

    def _use(self, opened: "_Opened") -> None:
        self._ledger = opened.load_ledger()
        self._applied_index = read_applied_index(opened.writer)
        self._installed_index = read_installed_index(opened.writer)
        self._broken = False
        self._opened = opened

    def _write(self, changes: Changes, applied_index: int) -> None:
        database = self._opened.writer
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO users VALUES (?, ?)", changes.users)
        database.executemany(f"INSERT INTO follows VALUES (?, ?, ?, {FOREVER})", changes.begun)
        database.executemany("UPDATE follows SET until = ? WHERE user = ? AND target = ? AND since = ?", changes.ended)
        _insert_posts(database, changes.posts)
        sessions = self._ledger.sessions
        database.executemany(
            "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?)",
            [
                (signed(session), record.last, record.used_index, record.answers_blob())
                for session in changes.sessions
                for record in (sessions[session],)
            ],
        )
        database.executemany(
            "DELETE FROM sessions WHERE session = ?", [(signed(session),) for session in changes.forgotten]
        )
        database.execute("UPDATE meta SET applied_index = ?", (applied_index,))
        database.execute("COMMIT")


class _Opened:
    """The connections to one database file."""

    def __init__(self, path: Path, cluster_id: str) -> None:
        self.path = path
        self.write_ahead_log = path.with_name(path.name + "-wal")
        self.writer = connect(path, read_only=False)
        try:
            check_belongs(self.writer, cluster_id)
            self.writer.execute("PRAGMA journal_mode = WAL")
            self.writer.execute("PRAGMA synchronous = NORMAL")
            self.writer.execute("PRAGMA wal_autocheckpoint = 0")
            self.writer.execute("PRAGMA secure_delete = OFF")  # some builds overwrite what they delete, at a cost
            self.writer.execute("PRAGMA cache_size = -32768")  # KiB
            self.checkpointer = connect(path, read_only=False, busy_seconds=_TRUNCATE_WAIT_SECONDS)
            read_applied_index(self.checkpointer)  # makes the write-ahead log exist
            sync_folder(path.parent)
        except BaseException:  # whatever it is: not to leave the file open
            self.writer.close()
            raise

    def load_ledger(self) -> Ledger:
        """What the rules need of this state."""
        ledger = Ledger()
        ledger.users = {name for (name,) in self.writer.execute("SELECT name FROM users")}
        ledger.follows = {
            (user, target): since
            for user, target, since in self.writer.execute(
                "SELECT user, target, since FROM follows WHERE until = ?", (FOREVER,)
            )
        }
        for session, last, used_index, answers in self.writer.execute(
            "SELECT session, last, used_index, answers FROM sessions ORDER BY used_index"
        ):
            ledger.sessions.load(unsigned(session), Session(last, used_index, answers_from_blob(answers)))
        return ledger

    def close(self) -> None:
        self.checkpointer.close()
        self.writer.close()


def _insert_posts(database: sqlite3.Connection, posts: Sequence[tuple[str, int, int, str]]) -> None:
    """Many rows to a statement cost a quarter less than one; unlike json_each, both keep a text with a NUL whole."""
    whole = len(posts) - len(posts) % _POSTS_PER_STATEMENT
    for first in range(0, whole, _POSTS_PER_STATEMENT):
        rows = posts[first : first + _POSTS_PER_STATEMENT]
        database.execute(_INSERT_MANY, tuple(chain.from_iterable(rows)))
    database.executemany("INSERT INTO posts VALUES (?, ?, ?, ?)", posts[whole:])


_INSERT_MANY = "INSERT INTO posts VALUES " + ", ".join(["(?, ?, ?, ?)"] * _POSTS_PER_STATEMENT)
