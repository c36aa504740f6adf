"""Short ways to write logs down in tests."""

from collections.abc import Sequence
from pathlib import Path

from tinysns.domain.writes import Answer, Command, Follow, Login, Outcome, Post, Unfollow, Write
from tinysns.storage.copies import Staged
from tinysns.storage.entries import encode_command
from tinysns.storage.reader import Reader
from tinysns.storage.state import StateMachine
from tinysns.wire.v1 import log_pb2

CLUSTER = "4e9d"

Entry = tuple[int, bytes]


def entry(index: int, *commands: Command, time_unix_ns: int = 7) -> Entry:
    """As the native member makes it."""
    items = [log_pb2.Item(origin=1, ticket=n, command=encode_command(c)) for n, c in enumerate(commands, 1)]
    return index, log_pb2.Entry(time_unix_ns=time_unix_ns, items=items).SerializeToString()


def post(session: int, number: int, author: str, *texts: str) -> Command:
    return Command(session, number, Post(author, texts))


class Log:
    """Writes one by one, each as an entry of its own and all on one session, and says what came of it."""

    def __init__(self, machine: StateMachine, session: int = 1) -> None:
        self.machine = machine
        self._session = session
        self._number = 0

    def do(self, write: Write) -> Answer:
        self._number += 1
        index = self.machine.applied_index + 1
        (effect,) = self.machine.apply([entry(index, Command(self._session, self._number, write))], index)
        assert effect.fresh
        return effect.answer

    def login(self, *users: str) -> None:
        for user in users:
            assert self.do(Login(user)).outcome is Outcome.DONE

    def follow(self, user: str, target: str) -> int:
        return self._done(Follow(user, target))

    def unfollow(self, user: str, target: str) -> int:
        return self._done(Unfollow(user, target))

    def post(self, author: str, *texts: str) -> int:
        return self._done(Post(author, texts))

    def _done(self, write: Write) -> int:
        answer = self.do(write)
        assert answer.outcome is Outcome.DONE
        return answer.position


def outcomes(machine: StateMachine, entries: Sequence[Entry]) -> list[Outcome]:
    return [effect.answer.outcome for effect in machine.apply(entries, entries[-1][0])]


def digest(machine: StateMachine) -> tuple[int, str]:
    reader = Reader(machine)
    try:
        return reader.digest()
    finally:
        reader.close()


def stage(receiver: StateMachine, copy: Path, applied_index: int) -> Staged:
    """Hands a copied file over in chunks, as a transfer does."""
    staging = receiver.stage()
    content = copy.read_bytes()
    for start in range(0, len(content), 10_000):
        staging.write(content[start : start + 10_000])
    return staging.finish(applied_index)
