"""The master process, put together: from its settings to serving, and to an orderly end.

Nothing is served before the state and the log are open and fit each other, and the first thing that an orderly end
does is to hand leadership over: for clients that costs less than any failover.
"""

import asyncio
import logging
import time

import raftnode

from tinysns.master import founding
from tinysns.master.heartbeats import Heartbeats
from tinysns.master.lock import hold_lock
from tinysns.master.member import open_member
from tinysns.master.reporting import RouterLinks
from tinysns.master.room import shortage
from tinysns.master.service import MasterService, Self, Sources
from tinysns.replication.replica import Replica
from tinysns.rpc.call_id import random_session
from tinysns.rpc.server import PortInUse, Server
from tinysns.runtime.process import CannotStart, Process
from tinysns.runtime.settings import MasterSettings
from tinysns.runtime.tasks import Tasks
from tinysns.sns.fanout import Hub
from tinysns.sns.services import Services, add_services
from tinysns.sns.texts import DIALECTS
from tinysns.storage.reader import Reader
from tinysns.storage.state import StateMachine
from tinysns.wire.v1 import master_pb2 as pb
from tinysns.wire.v1 import master_pb2_grpc, router_pb2

log = logging.getLogger(__name__)

_SERVICE = pb.DESCRIPTOR.services_by_name["Master"].full_name
TRANSFER_SECONDS = 1.0
DRAIN_SECONDS = 0.3
ROOM_SECONDS = 0.5


class Master:
    """One running master."""

    def __init__(self, settings: MasterSettings, process: Process) -> None:
        self._settings, self._process = settings, process
        self._tasks = Tasks(process.crash)
        self._replica: Replica | None = None
        self._services: Services | None = None
        self._incarnation = 0
        self._cluster_id = ""
        self._heartbeats = Heartbeats(settings.runtime / "slave.sock")
        self._router_links = RouterLinks(settings.routers, self._state)

    async def run(self) -> None:
        """Until the process is asked to stop. Raises CannotStart."""
        settings = self._settings
        with hold_lock(settings.runtime / "master.lock"):
            self._cluster_id = founding.membership(settings).cluster_id
            self._heartbeats.say(0, "starting")
            self._heartbeats.start()
            if not await self._wait_for_room():
                return
            self._incarnation = await asyncio.to_thread(founding.next_incarnation, settings.data)
            state, node = await asyncio.to_thread(open_member, settings, self._cluster_id, self._incarnation)
            server = await self._serve(node, state)
            log.info("serving on %s, incarnation %d", settings.listen, self._incarnation)
            await self._process.stopping.wait()
            await self._end(server)
            state.close()

    async def _wait_for_room(self) -> bool:
        """A full disk is waited for before anything is opened on it. False: asked to stop meanwhile."""
        said = ""
        while (waiting := shortage(self._settings.data)) and not self._process.stopping.is_set():
            if waiting != said:
                log.error("%s", waiting)
            said = waiting
            self._heartbeats.say(0, waiting)
            await asyncio.sleep(ROOM_SECONDS)
        return not self._process.stopping.is_set()

    async def _serve(self, node: raftnode.Node, state: StateMachine) -> Server:
        settings = self._settings
        replica = self._replica = Replica(settings, self._cluster_id, node, state, self._process.crash)
        server = Server()
        reader = Reader(state)
        services = self._services = add_services(
            server.grpc,
            replica,
            reader,
            Hub(),
            random_session,
            hold_seconds=settings.hold_seconds,
            dialect=DIALECTS[settings.dialect],
        )
        sources = Sources(
            counters=services.counters,
            users=lambda: reader.counts().users,
            digest=reader.digest,
            copy_to=state.copy_to,
            copy_bytes=lambda: state.database().stat().st_size,
        )
        myself = Self(settings, self._cluster_id, self._incarnation, time.time_ns())
        master_pb2_grpc.add_MasterServicer_to_server(MasterService(myself, replica, sources), server.grpc)
        try:
            await server.start([settings.listen], (*services.names, _SERVICE))
        except PortInUse as e:
            raise CannotStart(str(e)) from e
        self._tasks.start("replica", replica.run())
        services.counters.on_streams = self._streams_changed
        self._router_links.start(self._tasks)
        self._tasks.start("report", self._report(replica, server))
        return server

    def _streams_changed(self) -> None:
        assert self._replica is not None
        assert self._services is not None
        self._replica.watched(self._services.counters.open_streams > 0)
        self._router_links.changed_soon()

    async def _report(self, replica: Replica, server: Server) -> None:
        """Tells the slave, the routers and health checks of each change.

        Who leads can wait a moment: any master takes a client's calls, and just when a leader is elected all processors
        are needed for what clients are waiting for. What they must leave cannot.
        """
        said: object = None
        while True:
            change = replica.next_change()
            urgent = replica.problem, replica.lost_peers
            if urgent != said:
                said = urgent
                self._router_links.changed()
                self._heartbeats.say(self._incarnation, replica.problem)
            else:
                self._router_links.changed_soon()
            await server.set_serving(not replica.problem)
            await change

    async def _end(self, server: Server) -> None:
        replica = self._replica
        assert replica is not None
        if replica.view.leads:
            try:
                await replica.transfer_leadership(TRANSFER_SECONDS)
            except TimeoutError:
                log.warning("no other master took leadership over; the others will elect one")
        replica.stop(f"{self._settings.name} is stopping")
        await server.stop(DRAIN_SECONDS)
        await self._tasks.stop()
        await replica.close()

    def _state(self) -> router_pb2.Message:
        """What routers are told."""
        settings, replica = self._settings, self._replica
        assert replica is not None
        assert self._services is not None
        view = replica.view
        names = {m.node: m.name for m in settings.members}
        return router_pb2.Message(
            text=settings.listen,
            state=router_pb2.MasterState(
                name=settings.name,
                incarnation=self._incarnation,
                serving=not replica.problem,
                leader=next((m.address for m in settings.members if m.node == view.leader), ""),
                term=view.term,
                open_streams=self._services.counters.open_streams,
                cluster_id=self._cluster_id,
                rank=list(names).index(settings.node) + 1,
                lost_peers=[
                    router_pb2.LostPeer(name=names[node], incarnation=incarnation)
                    for node, incarnation in replica.lost_peers.items()
                ],
            ),
        )
