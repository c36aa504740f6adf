"""Copies of the whole state: made here for a member that is too far behind, and received there, checked and synced."""

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tinysns.storage.disk import sync_file, sync_folder
from tinysns.storage.layout import DATABASE, INCOMING
from tinysns.storage.schema import StateError, check_belongs, connect, read_applied_index
from tinysns.storage.views import Source, Views


class BadCopy(StateError):
    """A received copy is not what was announced; it was dropped. Ask for another one."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A complete, checked and synced copy that is not in force yet."""

    folder: Path
    applied_index: int


def copy_state(source: Source, target: Path) -> int:
    """Copies the database in force to a new file, at one position, and syncs it; returns its applied index.

    For any thread, while others write: one step of SQLite's backup is one read transaction
    (https://www.sqlite.org/c3ref/backup_finish.html), and the GIL is free meanwhile. The write-ahead log of the source
    cannot be emptied until it is done.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists already; copy the state to a new file")
    views = Views(source)
    try:
        with views.view() as view:
            copy = sqlite3.connect(target, isolation_level=None)
            try:
                # Nobody else knows the file yet, and it is synced below: no journal and no syncs in between.
                copy.execute("PRAGMA journal_mode = OFF")
                copy.execute("PRAGMA synchronous = OFF")
                view.database.backup(copy, pages=-1)
            finally:
                copy.close()
    except BaseException:  # whatever it is: half a copy is of no use to anybody
        target.unlink(missing_ok=True)
        raise
    finally:
        views.close()
    sync_file(target)
    sync_folder(target.parent)
    return view.applied_index


class Staging:
    """Receives a copy in chunks. One at a time for each folder; a new one drops what an unfinished one had received."""

    def __init__(self, folder: Path, cluster_id: str) -> None:
        self._cluster_id = cluster_id
        self._folder = folder / INCOMING
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._path = self._folder / DATABASE
        self._file = self._path.open("xb")

    def write(self, data: bytes) -> None:
        """Adds the next bytes of the file."""
        self._file.write(data)

    def finish(self, applied_index: int) -> Staged:
        """Checks the file, marks it as installed at its index, and syncs it. Raises BadCopy."""
        self._file.close()
        try:
            self._check_and_mark(applied_index)
        except (StateError, sqlite3.DatabaseError) as error:
            self.discard()
            raise BadCopy(f"the received state is not used: {error}") from error
        sync_file(self._path)
        sync_folder(self._folder)
        return Staged(self._folder, applied_index)

    def discard(self) -> None:
        """Drops what was received."""
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _check_and_mark(self, applied_index: int) -> None:
        database = connect(self._path, read_only=False)
        try:
            # One file, complete in itself: it is renamed before it is opened for use.
            database.execute("PRAGMA journal_mode = DELETE")
            check_belongs(database, self._cluster_id)
            (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise BadCopy(f"it is damaged ({verdict})")
            found = read_applied_index(database)
            if found != applied_index:
                raise BadCopy(f"it stands at log index {found}, not {applied_index}")
            database.execute("UPDATE meta SET installed_index = ?", (applied_index,))
        finally:
            database.close()
