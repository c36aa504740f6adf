"""The yardstick's client: `python -m chaos.bench.loopback.floor_client PORT PORT`. Told what to do on standard input.

renew N    a new channel to server N; answers "warm" once it is connected
try        from now on a call every 5 ms, to the server that answered last, and to the other one when it fails
successes  answers the times (ns) of all successes since the last question, as JSON
echo N     N round trips on a stream to the first server, 100/s; answers what each took (ms), as JSON
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence

import grpc
import uvloop

from chaos.bench.loopback.floor_server import ECHO, TRY
from chaos.traffic.orders import Abandoned, Orders
from tinysns.rpc.channels import open_channel
from tinysns.runtime.tasks import Tasks

_EVERY_SECONDS = 0.005
_TRY_SECONDS = 1.0
_ECHO_EVERY_SECONDS = 0.01
_WARM_ECHOES = 20
_TEXT = b"x" * 100


class _Floor:
    def __init__(self, ports: Sequence[str], tasks: Tasks) -> None:
        self._addresses, self._tasks = [f"127.0.0.1:{port}" for port in ports], tasks
        self._channels = [open_channel(address) for address in self._addresses]
        self._current = 0
        self._successes: list[int] = []

    async def renew(self, n: int) -> None:
        """gRPC's own reconnecting waits for a back-off."""
        await self._channels[n].close()
        channel = self._channels[n] = open_channel(self._addresses[n])
        await _call(channel)(b"warm", wait_for_ready=True)

    async def go_on_trying(self) -> None:
        loop = asyncio.get_running_loop()
        due, number = loop.time(), 0
        while True:
            number += 1
            self._tasks.start(f"try {number}", self._try())
            due = max(due + _EVERY_SECONDS, loop.time())
            await asyncio.sleep(due - loop.time())  # the pace; nothing is waited for

    async def _try(self) -> None:
        end = time.monotonic() + _TRY_SECONDS
        while time.monotonic() < end:
            server = self._current
            try:
                await _call(self._channels[server])(_TEXT, timeout=_TRY_SECONDS)
            except (grpc.aio.AioRpcError, grpc.aio.UsageError):  # dead, or its channel is being renewed
                if self._current == server:
                    self._current = (server + 1) % len(self._channels)
            else:
                self._successes.append(time.monotonic_ns())
                return

    def successes(self) -> list[int]:
        found, self._successes = self._successes, []
        return found

    async def echo(self, count: int) -> list[float]:
        method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = self._channels[0].stream_stream(ECHO)
        call = method()
        loop, due, values = asyncio.get_running_loop(), asyncio.get_running_loop().time(), list[float]()
        for _ in range(count + _WARM_ECHOES):
            begin = time.monotonic_ns()
            await call.write(_TEXT)
            await call.read()
            values.append((time.monotonic_ns() - begin) / 1e6)
            due += _ECHO_EVERY_SECONDS
            await asyncio.sleep(due - loop.time())  # the pace; nothing is waited for
        call.cancel()
        return values[_WARM_ECHOES:]


def _call(channel: grpc.aio.Channel) -> "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]":
    return channel.unary_unary(TRY)


def _crashed(error: BaseException) -> None:
    sys.exit(f"floor client: {error!r}")


async def _follow_orders(ports: Sequence[str]) -> None:
    orders, tasks = Orders(), Tasks(_crashed)
    floor = _Floor(ports, tasks)
    try:
        while True:
            word, rest = await orders.next("and so does its client")
            match word:
                case "renew":
                    await floor.renew(int(rest))
                    orders.tell("warm")
                case "try":
                    tasks.start("tries", floor.go_on_trying())
                    orders.tell("trying")
                case "successes":
                    orders.tell(json.dumps(floor.successes()))
                case "echo":
                    orders.tell(json.dumps(await floor.echo(int(rest))))
    except Abandoned:
        return
    finally:
        await tasks.stop()


if __name__ == "__main__":
    uvloop.run(_follow_orders(sys.argv[1:]))
