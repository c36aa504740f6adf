"""Watches this member's disk: one that stalls or is full cannot keep a leader's promises (design: sections 3 and 4).

A stalled disk is a failure although everything looks alive: heartbeats need no disk, and SIGKILL does not end a
process in disk wait. So a write in flight for `disk_stall_ms` makes this member look dead to the others until it
returns.
"""

import os
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

# Below this nothing is written any more: raft-engine grows its files in steps of 2 MiB and SQLite its write-ahead
# log, and a write that fails half-way ends the process.
FLOOR_BYTES = 12 * 1024 * 1024
STATVFS_SECONDS = 0.1


class Disk(Enum):
    """What this disk is good for."""

    GOOD = auto()
    NEARLY_FULL = auto()  # follows, but must not lead
    FULL = auto()  # must not write
    STALLED = auto()  # a write has been in flight for too long


@dataclass(frozen=True, slots=True)
class Health:
    """`sentence` is empty when the disk is good."""

    disk: Disk
    sentence: str = ""


def free_bytes(path: Path) -> int:
    """Free for this process, on the file system that holds `path`."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def judge(
    name: str, path: Path, free: int, reserve_bytes: int, in_flight_seconds: float, stall_seconds: float
) -> Health:
    """What the disk of host `name` is good for."""
    if in_flight_seconds > stall_seconds:
        return Health(
            Disk.STALLED,
            f"{name}: a write to {path} has not returned for {in_flight_seconds * 1000:.0f} ms; check that disk",
        )
    if free < FLOOR_BYTES:
        return Health(Disk.FULL, f"{name}: the disk of {path} is full ({free >> 20} MiB free); make room on it")
    if free < reserve_bytes:
        return Health(
            Disk.NEARLY_FULL,
            f"{name}: the disk of {path} is nearly full ({free >> 20} MiB free, {reserve_bytes >> 20} to be kept);"
            f" make room on it, until then this master only follows",
        )
    return Health(Disk.GOOD)


class Guard:
    """Looks at the disk of one member, as often as `look` is called."""

    def __init__(self, name: str, path: Path, reserve_bytes: int, stall_seconds: float) -> None:
        self._name, self._path, self._reserve_bytes, self._stall_seconds = name, path, reserve_bytes, stall_seconds
        self._next_statvfs_at = 0.0
        self.free_bytes = 0
        self.health = Health(Disk.GOOD)

    def look(self, now: float, in_flight_seconds: float) -> tuple[Disk, Disk]:
        """(what it was good for before, what it is good for now)."""
        if now >= self._next_statvfs_at:
            self._next_statvfs_at = now + STATVFS_SECONDS
            self.free_bytes = free_bytes(self._path)
        old = self.health.disk
        self.health = judge(
            self._name, self._path, self.free_bytes, self._reserve_bytes, in_flight_seconds, self._stall_seconds
        )
        return old, self.health.disk
