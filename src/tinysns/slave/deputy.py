"""The deputy router of this host: clients get in through it when the router is dead.

Why it lives in the slave and is no process of its own: four hosts would then have twelve, and ten is the most. It has
its own server and its own tasks, and whatever happens to it, the supervision of the master goes on: a port that is
taken, or a bug, closes the deputy, is said in the journal, and is tried again. It computes nothing for long and never
touches a disk; masters are judged as before, since a loop that is late never blames the master (domain/supervision.py).
"""

import asyncio
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

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._serve()
            await asyncio.sleep(AGAIN_SECONDS)  # whoever has the port does not tell us when it leaves

    async def _serve(self) -> None:
        failed = asyncio.Event()
        tasks = Tasks(lambda _: failed.set())  # it has been logged
        server = RoutingServer(self._name, self._routers, self._settings, tasks)
        try:
            await server.start()
            self._trouble = ""
            await failed.wait()
        except PortInUse as e:
            self._say(f"there is no deputy router on this host: {e}")
        finally:
            await server.stop()
            await tasks.stop()

    def _say(self, sentence: str) -> None:
        if sentence != self._trouble:
            log.error("%s", sentence)
        self._trouble = sentence
