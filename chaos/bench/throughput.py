"""posts_per_second: clients, each a process of its own, keep batches in flight; acknowledged posts are counted."""

import asyncio
import random
import string
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos.bench.measure import Measure
from chaos.errors import CannotRun
from chaos.inventory import Inventory
from tinysns.client import Client
from tinysns.domain.writes import Answer, Outcome, Post

_CLIENTS = 3
_BATCH = 64
_IN_FLIGHT = 8
_TEXT_BYTES = 100
_POOL = 4000  # different random texts: the log compresses what repeats, which people do not
_RUNS = 5
_RUN_SECONDS = 5.0
_WARM_SECONDS = 1.0


def posts_per_second(inventory: Inventory, output: Path, say: Callable[[str], None]) -> list[Measure]:
    """One value for each run, all clients together."""
    begin = time.monotonic() + 3.0 + _WARM_SECONDS  # clients of one machine share the clock, so they can start together
    words = [str(begin), *inventory.router_addresses]
    module = (sys.executable, "-m", "chaos.bench.throughput")
    clients = [
        subprocess.Popen((*module, f"bench-{time.time_ns()}-{n}", *words), stdout=subprocess.PIPE, text=True)
        for n in range(_CLIENTS)
    ]
    try:
        outputs = [client.communicate(timeout=60)[0] for client in clients]
    finally:
        for client in clients:
            client.kill()
            client.wait()
    if any(client.returncode for client in clients):
        raise CannotRun("a client of the throughput measure failed; see above")
    counts = [[int(word) for word in output.split()] for output in outputs]
    totals = [sum(column) / _RUN_SECONDS for column in zip(*counts, strict=True)]
    say(f"posts/s of {_CLIENTS} clients, {_BATCH} x {_IN_FLIGHT} in flight: {', '.join(f'{x:,.0f}' for x in totals)}")
    return [Measure("posts_per_second", "posts/s", totals)]


def random_texts() -> list[str]:
    """As people write them: none like the other."""
    letters = string.ascii_letters + string.digits + " "
    return ["".join(random.choices(letters, k=_TEXT_BYTES)) for _ in range(_POOL)]


async def _load(author: str, begin: float, routers: Sequence[str]) -> list[int]:
    """How many posts were acknowledged in each run."""
    counts = [0] * _RUNS

    def answered(future: "asyncio.Future[Answer]") -> None:
        run = int((time.monotonic() - begin) // _RUN_SECONDS)
        if future.result().outcome is not Outcome.DONE:
            raise RuntimeError(f"a batch was answered with {future.result().outcome.name}")
        if 0 <= run < _RUNS:
            counts[run] += _BATCH

    async with Client(routers) as client:
        session = client.session(_IN_FLIGHT)
        await session.login(author)
        pool = random_texts()
        while time.monotonic() < begin + _RUNS * _RUN_SECONDS:
            await session.room()
            session.submit(Post(author, tuple(random.sample(pool, _BATCH)))).add_done_callback(answered)
        await session.drain()
    return counts


if __name__ == "__main__":
    import uvloop

    print(*uvloop.run(_load(sys.argv[1], float(sys.argv[2]), sys.argv[3:])))
