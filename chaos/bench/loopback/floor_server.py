"""A bare grpc.aio server, the yardstick: `python -m chaos.bench.loopback.floor_server PORT RESIDENT_MIB`.

It holds about as much memory as a master, because the kernel needs time to free it when it kills the process.
"""

import os
import sys
from collections.abc import AsyncIterator

import grpc
import uvloop

from chaos.bench.loopback.accounting import resident_bytes

TRY = "/floor/Try"
ECHO = "/floor/Echo"
_PAGE_BYTES = 4096

Context = grpc.aio.ServicerContext[bytes, bytes]


async def _try(request: bytes, _: Context) -> bytes:
    return request


async def _echo(requests: AsyncIterator[bytes], _: Context) -> AsyncIterator[bytes]:
    async for request in requests:
        yield request


async def _serve(port: int, ballast: bytearray) -> None:
    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Try": grpc.unary_unary_rpc_method_handler(_try),
        "Echo": grpc.stream_stream_rpc_method_handler(_echo),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("floor", handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print(f"ready {len(ballast)}", flush=True)
    await server.wait_for_termination()


def main(port: str, resident_mib: str) -> None:
    """Serves until it is killed."""
    missing = max(0, int(resident_mib) * 2**20 - resident_bytes(os.getpid()))
    ballast = bytearray(missing)
    for at in range(0, missing, _PAGE_BYTES):
        ballast[at] = 1  # touched, so that it is really there
    uvloop.run(_serve(int(port), ballast))


if __name__ == "__main__":
    main(*sys.argv[1:])
