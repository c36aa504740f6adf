"""A writer: one author, one post every few milliseconds, each attempt and its fate written down."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chaos.history import Recorder, Result, text_of
from chaos.traffic.orders import Abandoned, Orders
from tinysns.client import Client, Definite, Indefinite, SnsError
from tinysns.domain.writes import Answer, Outcome, Post


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard a writer tries."""

    every_ms: float = 5.0  # the resolution of the downtime that it can see
    window: int = 64  # most posts in flight; with that many unanswered it can only wait


async def write(routers: Sequence[str], run: str, author: str, pace: Pace, recorder: Recorder, orders: Orders) -> None:
    """Logs in, posts from `go` until `stop`, and waits for the answers still out. Raises SnsError, Abandoned."""
    async with Client(routers) as client:
        session = client.session(pace.window)
        await session.login(author)
        orders.tell("ready")
        await orders.wait_for("go")
        stop = asyncio.ensure_future(orders.wait_for("stop"))
        loop = asyncio.get_running_loop()
        interval_seconds = pace.every_ms / 1000
        number, due, in_flight = 0, loop.time(), 0

        def answered(future: "asyncio.Future[Answer]", number: int) -> None:
            nonlocal in_flight
            in_flight -= 1
            _record(recorder, number, future)

        while not stop.done():
            if in_flight < pace.window:
                number += 1
                in_flight += 1
                recorder.write("invoke", n=number)
                future = session.submit(Post(author, (text_of(run, author, number),)))
                future.add_done_callback(lambda done, number=number: answered(done, number))  # type: ignore[misc]
            due = max(due + interval_seconds, loop.time())  # what was missed is not made up for
            await asyncio.wait((stop,), timeout=due - loop.time())
        await session.drain()
        if isinstance(error := stop.exception(), Abandoned):
            raise error


def _record(recorder: Recorder, number: int, future: "asyncio.Future[Answer]") -> None:
    error = future.exception() if not future.cancelled() else Indefinite("cancelled")
    if error is None:
        answer = future.result()
        if answer.outcome is Outcome.DONE:
            recorder.write(Result.OK, n=number, p=answer.position)
        else:
            recorder.write(Result.FAIL, n=number, why=answer.outcome.name)
    elif isinstance(error, Definite):
        recorder.write(Result.FAIL, n=number, why=str(error))
    elif isinstance(error, SnsError):
        recorder.write(Result.UNKNOWN, n=number, why=str(error))
    else:
        raise error
