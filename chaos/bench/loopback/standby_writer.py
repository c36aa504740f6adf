"""A writer that stays on one master: `python -m chaos.bench.loopback.standby_writer AUTHOR ROUTERS MASTER HISTORY`.

The client library would go to the Available master. One post every 5 ms from "ready" until `stop`, written down as a
chaos run's writer does; <author>-reader follows from the beginning.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import uvloop

from chaos.history import Recorder, Result, text_of
from chaos.traffic.orders import Orders
from tinysns.client import Client, calls
from tinysns.codec import command_to_wire
from tinysns.domain.writes import Command, Post
from tinysns.rpc.call_id import random_session
from tinysns.rpc.channels import open_channel
from tinysns.wire.v1 import sns_pb2

_EVERY_SECONDS = 0.005
_LAST_ANSWERS_SECONDS = 10.0


async def _write(author: str, routers: str, master: str, recorder: Recorder) -> None:
    async with Client(routers.split(",")) as client:
        session = client.session()
        for user in (author, f"{author}-reader"):
            await session.login(user)
        await session.follow(f"{author}-reader", author)
    orders, sent, answered, all_answered = Orders(), 0, 0, asyncio.Event()
    recorder.write("writer", run=author, author=author)
    stop = asyncio.ensure_future(orders.wait_for("stop"))

    async def posts() -> AsyncIterator[sns_pb2.Command]:
        nonlocal sent
        name, loop = random_session(), asyncio.get_running_loop()
        due = loop.time()
        while not stop.done():
            sent += 1
            recorder.write("invoke", n=sent)
            yield command_to_wire(Command(name, sent, Post(author, (text_of(author, author, sent),))))
            due = max(due + _EVERY_SECONDS, loop.time())
            await asyncio.wait((stop,), timeout=due - loop.time())
        if answered < sent:
            await all_answered.wait()  # the stream must stay open for the last answers

    async with open_channel(master) as channel:
        orders.tell("ready")
        try:
            async with asyncio.timeout(None) as limit:
                stop.add_done_callback(
                    lambda _: limit.reschedule(asyncio.get_running_loop().time() + _LAST_ANSWERS_SECONDS)
                )
                async for answers in calls.write(channel)(posts()):
                    for answer in answers.answers:
                        answered += 1
                        done = answer.outcome == sns_pb2.DONE
                        recorder.write(Result.OK if done else Result.FAIL, n=answer.number, p=answer.position)
                    if stop.done() and answered == sent:
                        all_answered.set()
        except (TimeoutError, grpc.aio.AioRpcError) as e:
            recorder.write("trouble", why=str(e))  # what was not answered is unknown; the wait shows it
    recorder.write("end", trouble="")
    orders.tell("stopped")


if __name__ == "__main__":
    author, routers, master, history = sys.argv[1:]
    uvloop.run(_write(author, routers, master, Recorder(Path(history))))
