"""A log of one member, which needs no network: it elects itself and commits what it has written."""

from collections.abc import Callable
from pathlib import Path

import pytest
import raftlog
from network import Network

NewNetwork = Callable[[int], Network]


@pytest.fixture
def new_network(tmp_path: Path) -> NewNetwork:
    return lambda size: Network(tmp_path, size)


@pytest.fixture
def log(tmp_path: Path) -> raftlog.Log:
    log = raftlog.Log.open(str(tmp_path / "alone"))
    log.found(1, [1])
    return log
