"""A master that kills itself at an exact point of a write, for tests only: no release holds this file or its points.

It is the master of tinysns.master, with its consensus member put between two others (`_Replica`, `_Group`) that watch
what passes through the driver. The file DIE_AT in the folder of its host says when: {"point", "kind", "marker"}, where
`kind` is the class of a write (domain/writes.py) and `marker` one of its names or texts. The points, for an entry that
holds such a write:

    logged      in the log of this leader, on its disk; nothing of it was sent to anybody
    committed   known to be committed; handed over to be applied, which has not begun, so nobody was answered
    applied     in the state of this master; nobody was answered, no timeline has heard of it

A trigger works once: it becomes DIED_AT, which says more, and so the next master of this host lives.
"""

import dataclasses
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from raftlog import Group, Ready, Write
from tinysns.replication.workers import Committed

from tinysns.domain.writes import Command, Effect, Post
from tinysns.master import app
from tinysns.master.__main__ import run_command
from tinysns.replication import replica
from tinysns.storage.entries import decode_entry

DIE_AT, DIED_AT = "die_at.json", "died_at.json"


class Fault:
    """The trigger of one host, and the death that it asks for."""

    def __init__(self, folder: Path, incarnation: int) -> None:
        self._folder, self._incarnation = folder, incarnation

    def asks_for(self, point: str, data: bytes) -> bool:
        """Whether this master is to die at this point of this entry."""
        try:
            wanted = json.loads((self._folder / DIE_AT).read_text())
        except FileNotFoundError:
            return False
        return wanted["point"] == point and any(
            type(command.write).__name__ == wanted["kind"] and wanted["marker"] in _strings(command)
            for command in decode_entry(data)[1]
        )

    def die(self, point: str, index: int, data: bytes, led: bool) -> None:
        """Does not return."""
        (self._folder / DIE_AT).rename(self._folder / DIED_AT)
        said = {
            "point": point,
            "index": index,
            "led": led,
            "incarnation": self._incarnation,
            "pid": os.getpid(),
            "writes": [dataclasses.asdict(command) for command in decode_entry(data)[1]],
        }
        (self._folder / DIED_AT).write_text(json.dumps(said))
        os.kill(os.getpid(), signal.SIGKILL)


def _strings(command: Command) -> tuple[str, ...]:
    write = command.write
    if isinstance(write, Post):
        return (write.author, *write.texts)
    return tuple(getattr(write, field.name) for field in dataclasses.fields(write))


class _Group:
    """A group whose leader falls silent from the proposal on that holds the write, and dies once that is on disk."""

    def __init__(self, group: Group, fault: Fault) -> None:
        self._group, self._fault = group, fault
        self._doomed: tuple[int, bytes] | None = None
        self._last_write: Write | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._group, name)

    @property
    def silent(self) -> bool:
        return self._doomed is not None

    def propose(self, batch: Sequence[bytes]) -> tuple[int, int]:
        first, term = self._group.propose(batch)
        for index, data in enumerate(batch, start=first):
            if self._fault.asks_for("logged", data):
                self._doomed = index, data
        return first, term

    def ready(self) -> Ready | None:
        ready = self._group.ready()
        if ready is not None and self._doomed is not None and self._last_write is None and ready.write.entries:
            self._last_write = ready.write  # a Ready holds all that was proposed before it
        return ready

    def persisted(self, write: Write) -> list[tuple[int, bytes]]:
        if self._doomed is not None and write is self._last_write:
            self._fault.die("logged", *self._doomed, led=True)
        return self._group.persisted(write)


class _Replica(replica.Replica):
    """Watches what the driver hands over and what the applier gives back."""

    def __init__(self, place: replica.Place, timing, log, group: Group, *rest) -> None:
        self._fault = Fault(place.data.parent, place.incarnation)
        self._watched = _Group(group, self._fault)
        super().__init__(place, timing, log, self._watched, *rest)

    def send_raft(self, peer: int, packet: bytes) -> None:
        if not self._watched.silent:
            super().send_raft(peer, packet)

    def committed(self, entries: Sequence[tuple[int, bytes]], applied_index: int) -> None:
        self._look("committed", entries)
        super().committed(entries, applied_index)

    def _applied(self, batch: Sequence[Committed], effects: list[Effect]) -> None:
        for entries, _ in batch:
            self._look("applied", entries)
        super()._applied(batch, effects)

    def _look(self, point: str, entries: Sequence[tuple[int, bytes]]) -> None:
        for index, data in entries:
            if self._fault.asks_for(point, data):
                self._fault.die(point, index, data, self.view.leads)


if __name__ == "__main__":
    app.Replica = _Replica
    run_command(sys.argv[1:])
