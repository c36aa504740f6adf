"""new_client, new_client_without_router: from a new client's first try until the service has answered its first call.

The second one while the router is stopped, over a minute: the deputies let clients in.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.bench.measure import Measure
from chaos.hosts import Remotes
from chaos.inventory import Inventory
from chaos.loop import complete
from tinysns.client import Client

_UNIT = "tinysns-router"
_RUNS = 30
_DEAD_SECONDS = 60.0
_CALM_SECONDS = 15.0
_UNDONE_SECONDS = 120  # by the host itself, should we die


def new_client(inventory: Inventory, output: Path, say: Callable[[str], None]) -> list[Measure]:
    """One value for each client. Raises SnsError if one does not get in."""
    with Remotes(inventory) as remotes:
        say(f"{_RUNS} clients come within {_CALM_SECONDS:g} s")
        with_router = complete(_come(inventory, _CALM_SECONDS))
        say(f"and {_RUNS} more within the {_DEAD_SECONDS:g} s in which the router is stopped")
        with _router_stopped(inventory, remotes):
            without = complete(_come(inventory, _DEAD_SECONDS))
    return [Measure("new_client", "ms", with_router), Measure("new_client_without_router", "ms", without)]


@contextmanager
def _router_stopped(inventory: Inventory, remotes: Remotes) -> Iterator[None]:
    hosts = [remotes[host.name] for host in inventory.routers]
    for host in hosts:
        host.run(f"sudo -n systemd-run --quiet --collect --on-active={_UNDONE_SECONDS} systemctl start {_UNIT}")
        host.run(f"sudo -n systemctl stop {_UNIT}")
    try:
        yield
    finally:
        for host in hosts:
            host.run(f"sudo -n systemctl start {_UNIT}")


async def _come(inventory: Inventory, seconds: float) -> list[float]:
    """How long each had to wait, in ms. One more comes before them: this process's first, which loads libraries."""
    loop, user = asyncio.get_running_loop(), f"bench-{time.time_ns()}"
    due, waits_ms = loop.time(), []
    for _ in range(1 + _RUNS):
        begin = time.monotonic()
        async with Client(inventory.router_addresses) as client:
            await client.session().login(user)
            waits_ms.append((time.monotonic() - begin) * 1000)
        due += seconds / _RUNS
        await asyncio.sleep(due - loop.time())  # the pace; nothing is waited for
    return waits_ms[1:]
