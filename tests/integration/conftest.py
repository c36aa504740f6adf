"""A running service for each test, ended whatever happens."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.service import Service


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    made: list[Service] = []

    def make(hosts: int = 3, **settings: str) -> Service:
        service = Service(tmp_path, hosts, **settings)
        made.append(service)
        return service

    yield make
    for service in made:
        service.end()


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    """Four hosts, started."""
    service = make_service(4)
    service.start()
    return service
