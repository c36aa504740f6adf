"""Which folder holds the state in force, and how another one takes its place.

    <folder>/current          a small file; holds the name of the folder in force
    <folder>/<index>/sns.db   a database, with sns.db-wal and sns.db-shm beside it while it is open
    <folder>/incoming/sns.db  a copy being received, or one that was never put in force
    <folder>/outgoing-*/      a copy on its way to another member

A database is never renamed over another: SQLite would apply the old write-ahead log to the new file
(https://www.sqlite.org/howtocorrupt.html, 2.4). The new folder is complete and synced before the pointer names it, and
the pointer is replaced by one rename, so after a crash at any point either the old or the new state is in force. What
the pointer does not name is left over from a crash and removed at the next start.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from tinysns.storage.disk import replace_durably, sync_folder
from tinysns.storage.schema import StateError

DATABASE = "sns.db"
INCOMING = "incoming"
_POINTER = "current"

Step = Callable[[str], None]
"""Called with the name of each step once it is done; tests crash there."""


def no_step(_name: str) -> None:
    """Nothing to do between steps."""


def database_in_force(folder: Path) -> Path | None:
    """The database that the pointer names; None if there is no state here. Raises StateError for a broken pointer."""
    try:
        name = (folder / _POINTER).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    database = folder / name / DATABASE
    if not name or "/" in name or not database.is_file():
        raise StateError(
            f"{folder / _POINTER} names {name!r}, which holds no state; rebuild this member from the others"
        )
    return database


def put_in_force(folder: Path, complete: Path, index: int, step: Step = no_step) -> Path:
    """Gives `complete` (a folder inside `folder`, its file synced) its name and points to it; returns its database.

    The folder in force before stays; remove it when nobody uses it any more.
    """
    placed = folder / _free_name(folder, index)
    complete.rename(placed)
    step("placed")
    sync_folder(placed)
    sync_folder(folder)
    step("placed durably")
    replace_durably(folder / _POINTER, placed.name + "\n")
    step("pointed")
    return placed / DATABASE


def remove_leftovers(folder: Path) -> None:
    """Removes what a crash left: all but the pointer and the folder in force."""
    database = database_in_force(folder)
    keep = {_POINTER} if database is None else {_POINTER, database.parent.name}
    for path in folder.iterdir():
        if path.name not in keep:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    sync_folder(folder)


def _free_name(folder: Path, index: int) -> str:
    """The index at which the state begins; with a letter behind it in case such a state is in force already."""
    return str(index) if not (folder / str(index)).exists() else f"{index}b"
