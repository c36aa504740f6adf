"""The router process, put together. It holds nothing that it could not learn again from the masters in a moment."""

from random import Random

from tinysns.routing.servicer import RouterService
from tinysns.rpc.server import PortInUse, Server
from tinysns.runtime import systemd
from tinysns.runtime.process import CannotStart, Process
from tinysns.runtime.settings import RouterSettings
from tinysns.runtime.tasks import Tasks
from tinysns.wire.v1 import router_pb2, router_pb2_grpc, slave_pb2, slave_pb2_grpc

DRAIN_SECONDS = 0.2


async def run_router(settings: RouterSettings, process: Process) -> None:
    """Until the process is asked to stop. Raises CannotStart."""
    server = Server()
    service = RouterService(settings.policy, settings.routers, settings.silence_seconds, Random())
    router_pb2_grpc.add_RouterServicer_to_server(service, server.grpc)
    slave_pb2_grpc.add_ObituariesServicer_to_server(service, server.grpc)
    names = [
        router_pb2.DESCRIPTOR.services_by_name["Router"].full_name,
        slave_pb2.DESCRIPTOR.services_by_name["Obituaries"].full_name,
    ]
    try:
        await server.start([settings.listen], names)
    except PortInUse as e:
        raise CannotStart(str(e)) from e
    tasks = Tasks(process.crash)
    tasks.start("watch", service.watch())
    await server.set_serving(True)
    systemd.notify("READY=1")
    await process.stopping.wait()
    systemd.notify("STOPPING=1")
    await server.stop(DRAIN_SECONDS)
    await tasks.stop()
