"""A process of its own that applies a long log and is killed meanwhile: python -m tests.storage.applier FOLDER."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.storage.making import CLUSTER, Entry, entry
from tinysns.domain.writes import Command, Follow, Login, Post, Unfollow, Write
from tinysns.storage.state import StateMachine

ENTRIES = 3000


def long_log() -> Iterator[Entry]:
    """The same one each time."""
    chance = random.Random(4)
    users = [f"u{i}" for i in range(6)]
    numbers = [0] * 3
    for index in range(1, ENTRIES + 1):
        commands = []
        for _ in range(chance.randint(0, 6)):
            session = chance.randrange(3)
            numbers[session] += 1
            user, target = chance.choices(users, k=2)
            texts = tuple(str(index) * chance.randint(1, 200) for _ in range(chance.randint(1, 5)))
            writes: tuple[Write, ...] = (Login(user), Follow(user, target), Unfollow(user, target), Post(user, texts))
            commands.append(Command(session + 1, numbers[session], chance.choices(writes, (1, 2, 1, 6))[0]))
        yield entry(index, *commands)


def main() -> None:
    machine = StateMachine.open(Path(sys.argv[1]), CLUSTER)
    for index, data in long_log():
        machine.apply([(index, data)], index)
        if index % 100 == 0:
            machine.checkpoint()
        print(index, flush=True)


if __name__ == "__main__":
    main()
