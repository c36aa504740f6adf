"""Servers: every process of ours makes its gRPC server here, with health and reflection, and with a port of its own."""

from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from tinysns.rpc.channels import MAX_MESSAGE_BYTES, Options

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # else a second server binds the same port silently and takes half of the calls
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)
_KEEPALIVE_SECONDS = 10.0


def keepalive(seconds: float) -> Options:
    """Ends a connection with open streams whose other side answers nothing, not even a ping, for twice as long."""
    # Not keepalive_timeout_ms: a server that sends nothing but the ping waits for the ping's own time, 60 s by default.
    return (("grpc.keepalive_time_ms", int(1000 * seconds)), ("grpc.http2.ping_timeout_ms", int(1000 * seconds)))


class PortInUse(Exception):
    """Another process listens there; str() says where and what to do."""


class Server:
    """A grpc.aio server with the standard health service, which tells whether this process serves right now.

    `ends_abandoned`: also the streams of a client end whose host is gone, or which is stopped, after 20 s. Without it
    they wait for as long as TCP does, and a client may sleep.
    """

    def __init__(self, options: Options = (), *, ends_abandoned: bool = False) -> None:
        alive = keepalive(_KEEPALIVE_SECONDS) if ends_abandoned else ()
        self.grpc = grpc.aio.server(options=(*_OPTIONS, *alive, *options))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)

    async def start(self, addresses: Sequence[str], services: Sequence[str]) -> None:
        """Listens on all `addresses` ("10.0.0.1:3011", "unix:/run/x.sock"). Raises PortInUse."""
        reflection.enable_server_reflection((*services, health.SERVICE_NAME, reflection.SERVICE_NAME), self.grpc)
        for address in addresses:
            try:
                self.grpc.add_insecure_port(address)
            except RuntimeError as e:
                raise PortInUse(
                    f"cannot listen on {address}: another process uses that port, or it is no address of this host;"
                    f" see `ss -ltnp` and the settings"
                ) from e
        await self.grpc.start()

    async def set_serving(self, serving: bool) -> None:
        """What health checks are told from now on."""
        status = health_pb2.HealthCheckResponse
        await self._health.set("", status.SERVING if serving else status.NOT_SERVING)

    async def stop(self, grace_seconds: float) -> None:
        await self.grpc.stop(grace_seconds)
