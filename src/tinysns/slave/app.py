"""The slave process, put together: listen, adopt or start the master, watch it, and take it along in an orderly end."""

import time

from tinysns.domain.supervision import Rules
from tinysns.rpc.server import PortInUse, Server
from tinysns.runtime import systemd
from tinysns.runtime.process import CannotStart, Process
from tinysns.runtime.settings import SlaveSettings
from tinysns.runtime.tasks import Tasks
from tinysns.slave.deputy import Deputy
from tinysns.slave.heartbeats import HeartbeatSocket, somebody_listens
from tinysns.slave.obituaries import Obituaries
from tinysns.slave.service import SlaveService
from tinysns.slave.stopping import MARK_NAME
from tinysns.slave.watcher import Watcher
from tinysns.wire.v1 import slave_pb2, slave_pb2_grpc

SOCKET_NAME = "slave.sock"
_DRAIN_SECONDS = 0.1
# "At once" leaves the other masters a moment: the new one computes for half a second while it imports, and on a machine
# with few cores that would be taken from the very milliseconds in which the others elect and clients move over.
_STAND_ASIDE_SECONDS = 0.05


async def run_slave(settings: SlaveSettings, process: Process) -> None:
    """Until the process is asked to stop and the master has gone. Raises CannotStart."""
    tasks = Tasks(process.crash)
    me = next(m for m in settings.members if m.name == settings.name)
    obituaries = Obituaries(me, settings.routers, tasks)
    watcher = Watcher(_rules(settings), settings.master_command, settings.runtime, obituaries.announce, tasks)
    deputy = Deputy(settings.name, settings.routers, settings.deputy) if settings.deputy is not None else None
    server = Server()
    slave_pb2_grpc.add_SlaveServicer_to_server(SlaveService(settings.name, time.time_ns(), watcher), server.grpc)
    try:
        heartbeats = await _listen(server, settings, watcher)
        watcher.begin()
        await watcher.begun.wait()
        await server.set_serving(True)
        if deputy is not None:  # the master comes first
            tasks.start("deputy", deputy.run())
        systemd.notify("READY=1")
        await process.stopping.wait()
        systemd.notify("STOPPING=1")
        watcher.stop()
        await watcher.finished.wait()
        await obituaries.close()
        heartbeats.close()
        if deputy is not None:
            await deputy.close()
    finally:
        await server.stop(_DRAIN_SECONDS)
        await tasks.stop()


def _rules(settings: SlaveSettings) -> Rules:
    return Rules(
        restart_delay_seconds=max(settings.restart_delay_seconds, _STAND_ASIDE_SECONDS),
        silence_seconds=settings.silence_seconds,
        stuck_seconds=settings.stuck_seconds,
        start_seconds=settings.start_seconds,
        stop_seconds=settings.stop_seconds,
    )


async def _listen(server: Server, settings: SlaveSettings, watcher: Watcher) -> HeartbeatSocket:
    runtime = settings.runtime
    local = runtime / SOCKET_NAME
    if not runtime.is_dir():
        raise CannotStart(f"the runtime folder {runtime} does not exist; systemd makes it (RuntimeDirectory=)")
    if somebody_listens(local):
        raise CannotStart(f"another slave runs on this host already: it listens on {local}")
    name = slave_pb2.DESCRIPTOR.services_by_name["Slave"].full_name
    try:
        # The port first: whoever has it is alone. Only then is a stale socket replaced.
        await server.start([settings.listen], [name])
        heartbeats = HeartbeatSocket(local, watcher.heartbeat)
        (runtime / MARK_NAME).unlink(missing_ok=True)
    except PortInUse as e:
        raise CannotStart(str(e)) from e
    except OSError as e:
        raise CannotStart(f"cannot use the runtime folder {runtime}: {e.strerror}; is it ours?") from e
    return heartbeats
