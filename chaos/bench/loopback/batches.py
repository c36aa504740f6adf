"""posts_per_second: one author keeps 8 batches of 64 texts in flight; then all masters are read and compared.

The module is the client process, too: `python -m chaos.bench.loopback.batches AUTHOR BATCHES MASTERS ROUTERS`.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import aclosing

import uvloop

from chaos.bench.loopback import processes
from chaos.bench.loopback.session import Lost, Session
from chaos.bench.throughput import random_texts
from chaos.errors import CannotRun
from tinysns.client import Client, SnsError
from tinysns.domain.writes import Answer, Outcome, Post

_BATCH = 64
_IN_FLIGHT = 8
_WARM_PART = 0.1  # of the batches; they are posted and not counted


def posts_per_second(session: Session) -> None:
    """One value for each run of a fixed number of posts, so that all sides' states grow alike."""
    rate = _post(session, session.effort.batches)
    session.sink.add("posts_per_second", "posts/s", [rate])
    session.say(f"batches of {_BATCH} x {_IN_FLIGHT} in flight: {rate:,.0f} posts/s")


def fill(session: Session, posts: int) -> None:
    """At least so many posts more in the state."""
    _post(session, -(-posts // _BATCH))


def _post(session: Session, batches: int) -> float:
    """Posts/s. Raises Lost if a master shows anything else than what was posted."""
    inventory = session.cluster.inventory
    masters = ",".join(host.master for host in inventory.masters)
    author, _ = session.new_run("batches")
    routers = ",".join(inventory.router_addresses)
    client = processes.start_module("chaos.bench.loopback.batches", author, str(batches), masters, routers)
    try:
        found = json.loads(processes.ask(client))
    finally:
        processes.end([client])
    if found["trouble"]:
        raise CannotRun(f"{author}: {found['trouble']}")
    if found["wrong"]:
        raise Lost(f"{author}: {found['wrong']}")
    session.posts += batches * _BATCH
    return float(found["rate"])


async def _load(author: str, batches: int, masters: Sequence[str], routers: Sequence[str]) -> dict[str, str | float]:
    reader = f"{author}-reader"
    pool = random_texts()
    texts = [f"{n:08d} {pool[n % len(pool)]}"[:100] for n in range(batches * _BATCH)]
    times: list[float] = []
    outcomes: set[str] = set()

    def answered(future: "asyncio.Future[Answer]") -> None:
        times.append(time.monotonic())
        error = future.exception()
        outcomes.add(str(error) if error else future.result().outcome.name)

    async with Client(routers) as client:
        session = client.session(_IN_FLIGHT)
        for user in (author, reader):
            await session.login(user)
        await session.follow(reader, author)
        for n in range(batches):
            await session.room(60)
            batch = tuple(texts[n * _BATCH : (n + 1) * _BATCH])
            session.submit(Post(author, batch), 60).add_done_callback(answered)
        await session.drain()
        if outcomes != {Outcome.DONE.name}:
            return {"trouble": f"batches were answered with {', '.join(sorted(outcomes))}"}
        wrong = ""
        for master in masters:
            wrong = wrong or await _compare(client, reader, master, texts)
    warm = int(len(times) * _WARM_PART)
    rate = (len(times) - 1 - warm) * _BATCH / (times[-1] - times[warm])
    return {"trouble": "", "wrong": wrong, "rate": rate}


async def _compare(client: Client, reader: str, master: str, texts: Sequence[str]) -> str:
    """Empty, or what is wrong with the timeline that this master shows."""
    seen, last = 0, 0
    async with aclosing(client.history_batches(reader, only=(master,))) as history:
        async for batch in history:
            for post in batch:
                if post.position <= last:
                    return f"{master} shows position {post.position} behind {last}"
                if seen >= len(texts) or post.text != texts[seen]:
                    expected = texts[seen][:8] if seen < len(texts) else "nothing"
                    return f"{master} shows {post.text[:8]} where {expected} was posted (lost, doubled or disordered)"
                seen, last = seen + 1, post.position
    return "" if seen == len(texts) else f"{len(texts) - seen} of {len(texts)} acknowledged posts are lost at {master}"


def main(author: str, batches: str, masters: str, routers: str) -> None:
    """Prints one line of JSON."""
    try:
        found = uvloop.run(_load(author, int(batches), masters.split(","), routers.split(",")))
    except SnsError as e:
        found = {"trouble": str(e)}
    print(json.dumps({"wrong": "", "rate": 0.0, **found}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
