"""Members with a small state machine (a list of commands), in this process or in processes of their own."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import raftnode

from tinysns.wire.v1 import log_pb2

PATIENCE_SECONDS = 20.0
T = TypeVar("T")


def free_addresses(count: int) -> dict[int, str]:
    """`count` members on free ports of this host."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return {node: f"127.0.0.1:{each.getsockname()[1]}" for node, each in enumerate(sockets, 1)}


class Member:
    """A node and what it has told so far."""

    def __init__(
        self, folder: Path, node: int, peers: Mapping[int, str], incarnation: int = 1, applied: int = 0, **more: Any
    ) -> None:
        self.id = node
        self.node = raftnode.Node(
            str(folder / str(node)), node, peers[node], peers, "cluster", incarnation, applied, 0, **more
        )
        self.applied = applied
        self.commands: list[bytes] = []
        self.view = (raftnode.FOLLOWER, 0, 0)
        self.reads: dict[int, int] = {}
        self.events: list[raftnode.Event] = []

    @property
    def leads(self) -> bool:
        return self.view[0] == raftnode.LEADER

    def pump(self, max_bytes: int = 4 << 20) -> None:
        """Takes and applies what is there."""
        for event in self.node.poll(max_bytes):
            self.events.append(event)
            match event:
                case raftnode.View():
                    self.view = (event.role, event.leader, event.term)
                case raftnode.Committed():
                    for index, data in event.entries:
                        assert self.applied < index <= event.index
                        self.applied = index
                        self.commands += [item.command for item in log_pb2.Entry.FromString(data).items]
                    self.applied = event.index
                case raftnode.Reads():
                    self.reads |= dict.fromkeys(event.tickets, event.index)

    def of(self, kind: type[T]) -> list[T]:
        """All events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def read(self) -> int:
        """What a linearizable read must see at least: a position."""
        ticket = self.node.read_index()
        until(lambda: ticket in self.reads and self.applied >= self.reads[ticket], [self])
        return self.reads[ticket]


def until(done: Callable[[], object], members: Sequence[Member], seconds: float = PATIENCE_SECONDS) -> None:
    """Takes what the members tell until something holds."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, [(m.id, m.view, m.applied, len(m.commands)) for m in members]
        readable, _, _ = select.select([member.node.fileno() for member in members], [], [], 0.05)
        for member in members:
            if member.node.fileno() in readable:
                member.pump()


def leader(members: Sequence[Member]) -> Member:
    """Waits until all agree who leads."""

    def agreed() -> bool:
        views = {member.view[1:] for member in members}
        return len(views) == 1 and any(member.leads for member in members)

    until(agreed, members)
    return next(member for member in members if member.leads)


@contextlib.contextmanager
def running(*members: Member) -> Iterator[list[Member]]:
    """Stops them in the end."""
    try:
        yield list(members)
    finally:
        for member in members:
            member.node.stop()


class Process:
    """A member in a process of its own, which answers one line of JSON for each that it gets."""

    def __init__(self, folder: Path, node: int, peers: Mapping[int, str], incarnation: int = 1, **more: Any) -> None:
        self.id = node
        settings = {"folder": str(folder), "node": node, "peers": peers, "incarnation": incarnation, "more": more}
        self._process = subprocess.Popen(
            [sys.executable, __file__, json.dumps(settings)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def tell(self, **question: Any) -> None:
        """Asks without waiting for the answer; `answer` must follow."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"member {self.id} ended with {self._process.wait()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, **question: Any) -> dict[str, Any]:
        self.tell(**question)
        return self.answer()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def wait_for(done: Callable[[], T | None], seconds: float = PATIENCE_SECONDS) -> T:
    """What `done` returns once that is true."""
    deadline = time.monotonic() + seconds
    while not (result := done()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return result


def leading(processes: Sequence[Process]) -> Process:
    """Waits until all agree who leads."""

    def agreed() -> Process | None:
        answers = {process.id: process.ask() for process in processes}
        views = {(answer["leader"], answer["term"]) for answer in answers.values()}
        (leader_id, _), *others = views
        leads = leader_id in answers and answers[leader_id]["role"] == raftnode.LEADER
        return next((p for p in processes if p.id == leader_id), None) if leads and not others else None

    return wait_for(agreed)


def _serve(settings: dict[str, Any]) -> None:
    peers = {int(node): address for node, address in settings["peers"].items()}
    member = Member(Path(settings["folder"]), settings["node"], peers, settings["incarnation"], **settings["more"])
    watched = select.epoll()
    watched.register(sys.stdin, select.EPOLLIN)
    watched.register(member.node.fileno(), select.EPOLLIN)
    while True:
        for number, _ in watched.poll():
            if number == member.node.fileno():
                member.pump()
                continue
            line = os.read(sys.stdin.fileno(), 1 << 20)
            if not line:
                return
            for question in map(json.loads, line.splitlines()):
                if seconds := question.get("stand_still"):
                    time.sleep(seconds)  # the Python of this process does nothing, as in a long collection of garbage
                if commands := question.get("propose"):
                    member.node.propose([command.encode() for command in commands])
                role, leader_id, term = member.view
                answer: dict[str, Any] = {"role": role, "leader": leader_id, "term": term, "applied": member.applied}
                if question.get("commands"):
                    answer["commands"] = [command.decode() for command in member.commands]
                print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
