from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.making import CLUSTER, Log
from tinysns.storage.reader import Reader
from tinysns.storage.state import StateMachine


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[StateMachine]:
    machine = StateMachine.create(tmp_path / "state", CLUSTER)
    yield machine
    machine.close()


@pytest.fixture
def log(machine: StateMachine) -> Log:
    return Log(machine)


@pytest.fixture
def reader(machine: StateMachine) -> Iterator[Reader]:
    reader = Reader(machine)
    yield reader
    reader.close()
