"""The router process, put together. It keeps nothing: after a start it knows what the masters tell it again."""

import time
from random import Random

from tinysns.routing.servicer import ObituaryService, RouterService, Routing, Self
from tinysns.rpc.server import PortInUse, Server
from tinysns.runtime import systemd
from tinysns.runtime.process import CannotStart, Process
from tinysns.runtime.settings import RouterSettings
from tinysns.runtime.tasks import Tasks
from tinysns.wire.v1 import router_pb2, router_pb2_grpc, slave_pb2, slave_pb2_grpc

_DRAIN_SECONDS = 0.1


async def run_router(settings: RouterSettings, process: Process, chance: Random) -> None:
    """Until the process is asked to stop. Raises CannotStart."""
    tasks = Tasks(process.crash)
    me = Self(settings.routers, settings.policy, time.time_ns())
    routing = Routing(me, settings.silence_seconds, chance)
    server = Server()
    router_pb2_grpc.add_RouterServicer_to_server(RouterService(routing), server.grpc)
    slave_pb2_grpc.add_ObituariesServicer_to_server(ObituaryService(routing.table.died), server.grpc)
    names = [
        router_pb2.DESCRIPTOR.services_by_name["Router"].full_name,
        slave_pb2.DESCRIPTOR.services_by_name["Obituaries"].full_name,
    ]
    try:
        await server.start([settings.listen], names)
    except PortInUse as e:
        raise CannotStart(str(e)) from e
    try:
        tasks.start("silence", routing.watch_silence())
        await server.set_serving(True)
        systemd.notify("READY=1")
        await process.stopping.wait()
        systemd.notify("STOPPING=1")
    finally:
        await server.stop(_DRAIN_SECONDS)
        await tasks.stop()
