"""Hosts for the tests of the slave."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.slave.support import Host

MakeHost = Callable[..., Host]


@pytest.fixture
def make_host(tmp_path: Path) -> Iterator[MakeHost]:
    """Makes hosts with the given settings of their slave."""
    hosts: list[Host] = []

    def make(**settings: float) -> Host:
        folder = tmp_path / f"host{len(hosts)}"
        folder.mkdir()
        hosts.append(Host(folder, **settings))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


@pytest.fixture
def host(make_host: MakeHost) -> Host:
    """A host as deploy makes it."""
    return make_host()
