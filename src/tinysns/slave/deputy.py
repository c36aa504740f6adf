"""The deputy router of this host: clients get in through it when the router is dead.

Why it lives in the slave and is no process of its own: four hosts would then have twelve, and ten is the most. It has
its own server and its own tasks, and whatever happens to it, the supervision of the master goes on: a port that is
taken, or a bug, closes the deputy, is said in the journal, and is tried again. It computes nothing for long and never
touches a disk; masters are judged as before, since a loop that is late never blames the master (domain/supervision.py).
"""

import asyncio
import contextlib
import logging

from tinysns.routing.serving import RoutingServer
from tinysns.rpc.server import PortInUse
from tinysns.runtime.settings import RoutingSettings
from tinysns.runtime.tasks import Tasks

log = logging.getLogger(__name__)

AGAIN_SECONDS = 1.0


class Deputy:
    """Kept up for as long as the slave runs. `name`: the host; `routers`: all of them."""

    def __init__(self, name: str, routers: tuple[str, ...], settings: RoutingSettings) -> None:
        self._name, self._routers, self._settings = name, routers, settings
        self._trouble = ""
        self._closing = False
        self._wake = asyncio.Event()  # it has failed, or is to be closed
        self._closed = asyncio.Event()

    async def run(self) -> None:
        """Until `close`."""
        while not self._closing:
            await self._serve()
            if self._closing:
                break
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_SECONDS):  # whoever has the port does not tell us when it leaves
                    await self._wake.wait()
        self._closed.set()

    async def close(self) -> None:
        """Returns once its clients have been let go; `run` must have been started."""
        self._closing = True
        self._wake.set()
        await self._closed.wait()

    async def _serve(self) -> None:
        tasks = Tasks(lambda _: self._wake.set())  # Tasks has logged it
        server = RoutingServer(self._name, self._routers, self._settings, tasks)
        try:
            await server.start()
            self._trouble = ""
            await self._wake.wait()
        except PortInUse as e:
            self._say(f"there is no deputy router on this host: {e}")
        finally:
            await server.stop()
            await tasks.stop()

    def _say(self, sentence: str) -> None:
        if sentence != self._trouble:
            log.error("%s", sentence)
        self._trouble = sentence
