"""Running services, ended whatever happens."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.service import FORGIVING, Service


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """For a test that needs one of its own."""
    made: list[Service] = []

    def make(hosts: int = 3, **settings: str) -> Service:
        service = Service(tmp_path, hosts, **settings)
        made.append(service)
        return service

    yield make
    for service in made:
        service.end()


@pytest.fixture(scope="module")
def _shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    # A hung master is killed soon, but not one that a busy machine keeps waiting for a moment.
    service = Service(
        tmp_path_factory.mktemp("service"), 4, slave_settings="silence_seconds = 2.0", run_slave=FORGIVING
    )
    yield service
    service.end()


@pytest.fixture
def service(_shared_service: Service) -> Service:
    """Four hosts, the same for all tests of a file: users should have names of their own. What was killed is started
    again before the next test; `ready` waits until it serves."""
    _shared_service.start()
    return _shared_service
