"""A master that kills itself at an exact point of a write, for tests only: no release holds this file or its points.

It is the master of tinysns.master, with its state and its native member put between two others (`_State`, `_Node`) that
watch what passes. The file DIE_AT in the folder of its host says when: {"point", "kind", "marker"}, where `kind` is the
class of a write (domain/writes.py) and `marker` one of its names or texts. The points, for such a write:

    proposed    handed to the native member of the master that took it, and up to some ms on its way into the logs
    committed   known to be committed, and not applied here yet, so nobody was answered
    applied     in the state of this master; nobody was answered, no timeline has heard of it

A trigger works once: it becomes DIED_AT, which says more, and so the next master of this host lives.

On SIGUSR2 its Python stands still for STILL_SECONDS: no thread of it runs.
"""

import ctypes
import dataclasses
import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import raftnode

from tinysns.codec import write_from_wire
from tinysns.domain.writes import Command, Effect, Post
from tinysns.master import app, member
from tinysns.master.__main__ import run_command
from tinysns.runtime.settings import MasterSettings
from tinysns.storage.entries import decode_entry
from tinysns.storage.state import StateMachine
from tinysns.wire.v1 import sns_pb2

DIE_AT, DIED_AT = "die_at.json", "died_at.json"
STILL_SECONDS = 2.0


class Fault:
    """The trigger of one host, and the death that it asks for."""

    def __init__(self, folder: Path, incarnation: int) -> None:
        self._folder, self._incarnation = folder, incarnation

    def asks_for(self, point: str, commands: Sequence[Command]) -> bool:
        """Whether this master is to die at this point of one of these."""
        try:
            wanted = json.loads((self._folder / DIE_AT).read_text())
        except FileNotFoundError:
            return False
        return wanted["point"] == point and any(
            type(command.write).__name__ == wanted["kind"] and wanted["marker"] in _strings(command)
            for command in commands
        )

    def die(self, point: str, index: int, commands: Sequence[Command], led: bool) -> None:
        """Does not return."""
        said = {
            "point": point,
            "index": index,
            "led": led,
            "incarnation": self._incarnation,
            "pid": os.getpid(),
            "writes": [dataclasses.asdict(command) for command in commands],
        }
        draft = self._folder / f"{DIED_AT}.draft"
        draft.write_text(json.dumps(said))
        (self._folder / DIE_AT).unlink()
        draft.rename(self._folder / DIED_AT)  # whoever finds it finds all of it
        os.kill(os.getpid(), signal.SIGKILL)


def _strings(command: Command) -> tuple[str, ...]:
    write = command.write
    if isinstance(write, Post):
        return (write.author, *write.texts)
    return tuple(getattr(write, field.name) for field in dataclasses.fields(write))


class _State:
    """The state of a master that dies at the points of an entry on its way into it."""

    def __init__(self, state: StateMachine, node: raftnode.Node, fault: Fault) -> None:
        self._state, self._node, self._fault = state, node, fault

    def __getattr__(self, name: str) -> object:
        return getattr(self._state, name)

    def apply(self, entries: Sequence[tuple[int, bytes]], applied_index: int) -> list[Effect]:
        self._look("committed", entries)
        effects = self._state.apply(entries, applied_index)
        self._look("applied", entries)
        return effects

    def _look(self, point: str, entries: Sequence[tuple[int, bytes]]) -> None:
        for index, data in entries:
            if self._fault.asks_for(point, decode_entry(data)[1]):
                self._fault.die(point, index, decode_entry(data)[1], self._node.status().role == raftnode.LEADER)


class _Node:
    """The native member of a master that dies when it has got a write."""

    def __init__(self, node: raftnode.Node, fault: Fault) -> None:
        self._node, self._fault = node, fault

    def __getattr__(self, name: str) -> object:
        return getattr(self._node, name)

    def propose(self, commands: Sequence[bytes]) -> None:
        self._node.propose(commands)
        asked = [c for c in map(_command, commands) if self._fault.asks_for("proposed", [c])]
        if asked:
            time.sleep(random.uniform(0, 0.004))  # how far it gets by then is chance
            self._fault.die("proposed", 0, asked, self._node.status().role == raftnode.LEADER)


def _command(data: bytes) -> Command:
    message = sns_pb2.Command.FromString(data)
    write = write_from_wire(message)
    assert write is not None
    return Command(message.session, message.number, write)


def open_member(settings: MasterSettings, cluster_id: str, incarnation: int) -> tuple[_State, _Node]:
    """As tinysns.master.member has it, with a fault in both."""
    state, node = member.open_member(settings, cluster_id, incarnation)
    fault = Fault(settings.data.parent, incarnation)
    return _State(state, node, fault), _Node(node, fault)


def stand_still(*_: object) -> None:
    ctypes.PyDLL(None).usleep(int(STILL_SECONDS * 1_000_000))  # PyDLL: with the lock of the interpreter


if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, stand_still)
    app.open_member = open_member
    run_command(sys.argv[1:])
