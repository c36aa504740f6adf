"""The router process, put together."""

from tinysns.routing.serving import RoutingServer
from tinysns.rpc.server import PortInUse
from tinysns.runtime import systemd
from tinysns.runtime.process import CannotStart, Process
from tinysns.runtime.settings import RouterSettings
from tinysns.runtime.tasks import Tasks


async def run_router(settings: RouterSettings, process: Process) -> None:
    """Until the process is asked to stop. Raises CannotStart."""
    tasks = Tasks(process.crash)
    server = RoutingServer(settings.name, settings.routers, settings, tasks)
    try:
        await server.start()
    except PortInUse as e:
        raise CannotStart(str(e)) from e
    try:
        systemd.notify("READY=1")
        await process.stopping.wait()
        systemd.notify("STOPPING=1")
    finally:
        await server.stop()
        await tasks.stop()
