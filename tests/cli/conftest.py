"""A double of the service in a thread of its own, because a command runs its own event loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.client.double import Cluster
from tinysns.cli import settings
from tinysns.cli.__main__ import main
from tinysns.client import status


class Service:
    """The double; `do` runs a coroutine in its loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="double")
        self._thread.start()
        self.cluster = self.do(self._start())

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def stop(self) -> None:
        try:
            self.do(self.cluster.__aexit__(None, None, None))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _start(self) -> Cluster:
        return await Cluster().__aenter__()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    running = Service()
    monkeypatch.setenv("SNS_ROUTERS", ",".join(running.cluster.router_addresses))
    monkeypatch.setattr(status, "SLAVE_PORT", running.cluster.slave_port)
    yield running
    running.stop()


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs a command line; this machine's own settings do not count."""
    monkeypatch.setattr(settings, "CONFIG", tmp_path / "client.toml")
    return lambda *arguments, **more: CliRunner().invoke(main, arguments, **more)
