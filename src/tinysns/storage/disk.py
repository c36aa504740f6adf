"""The few steps that make a change to files survive a power cut.

Never call `sync_file` on a database that a connection of this process has open: closing any descriptor of a file drops
all POSIX locks that the process holds on it, SQLite's included (https://www.sqlite.org/howtocorrupt.html, 2.2).
"""

import os
from pathlib import Path


def sync_file(path: Path) -> None:
    """Returns once the content of this file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Returns once the names in this folder (created, renamed, removed) are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_durably(path: Path, content: str) -> None:
    """Sets the content of a small file: after a crash it has the old content or the new one, nothing between."""
    draft = path.with_name(path.name + ".new")
    with draft.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)
