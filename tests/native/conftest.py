"""A network of members, and the log of one that is alone."""

from pathlib import Path

import pytest
import raftlog
from network import Network, NewNetwork


@pytest.fixture
def new_network(tmp_path: Path) -> NewNetwork:
    return lambda size: Network(tmp_path, size)


@pytest.fixture
def log(tmp_path: Path) -> raftlog.Log:
    log = raftlog.Log.open(str(tmp_path / "alone"))
    log.found(1, [1])
    return log
