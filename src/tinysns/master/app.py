"""The master process, put together: from its settings to serving, and to an orderly end.

Nothing is served before the state and the log are open and fit each other, and the first thing that an orderly end
does is to hand leadership over: for clients that costs less than any failover.
"""

import asyncio
import logging
import os
import time

from raftlog import Corrupt, Log, NotFounded

from tinysns.course.texts import DIALECTS
from tinysns.master import founding
from tinysns.master.lock import hold_lock
from tinysns.master.reporting import RouterLinks, SlaveLink
from tinysns.master.service import MasterService, ObituaryService, Self, Sources
from tinysns.replication.guard import FLOOR_BYTES, free_bytes
from tinysns.replication.links import Links, Peer
from tinysns.replication.replica import Codec, Place, Replica
from tinysns.rpc.call_id import random_session
from tinysns.rpc.server import PortInUse, Server
from tinysns.runtime.process import CannotStart, Process
from tinysns.runtime.settings import MasterSettings
from tinysns.runtime.tasks import Tasks
from tinysns.sns.fanout import Hub
from tinysns.sns.services import Services, add_services
from tinysns.storage.entries import encode_command, stamp
from tinysns.storage.reader import Reader
from tinysns.storage.schema import StateError
from tinysns.storage.state import StateMachine
from tinysns.wire.v1 import master_pb2 as pb
from tinysns.wire.v1 import master_pb2_grpc, router_pb2, slave_pb2, slave_pb2_grpc

log = logging.getLogger(__name__)

_OWN_SERVICES = (
    pb.DESCRIPTOR.services_by_name["Master"].full_name,
    slave_pb2.DESCRIPTOR.services_by_name["Obituaries"].full_name,
)
HAND_OVER_SECONDS = 1.0
DRAIN_SECONDS = 0.3
ROOM_SECONDS = 0.5


class Master:
    """One running master."""

    def __init__(self, settings: MasterSettings, process: Process) -> None:
        self._settings, self._process = settings, process
        self._tasks = Tasks(process.crash)
        self._replica: Replica | None = None
        self._services: Services | None = None
        self._waiting = "starting"
        self._incarnation = 0
        self._cluster_id = ""
        self._slave_link = SlaveLink(settings.runtime / "slave.sock", self._heartbeat)
        self._router_links = RouterLinks(settings.routers, self._state)

    async def run(self) -> None:
        """Until the process is asked to stop. Raises CannotStart."""
        settings = self._settings
        with hold_lock(settings.runtime / "master.lock"):
            membership = founding.membership(settings)
            self._tasks.start("slave-link", self._slave_link.run())
            if not await self._wait_for_room():
                return
            self._cluster_id = membership.cluster_id
            self._incarnation = await asyncio.to_thread(founding.next_incarnation, settings.data)
            log_, state = await asyncio.to_thread(self._open)
            server = await self._serve(log_, state)
            log.info("serving on %s, incarnation %d", settings.listen, self._incarnation)
            await self._process.stopping.wait()
            await self._end(server)
            state.close()

    async def _wait_for_room(self) -> bool:
        """A full disk is waited for before anything is opened on it. False: asked to stop meanwhile."""
        while (free := free_bytes(self._settings.data)) < 2 * FLOOR_BYTES and not self._process.stopping.is_set():
            waiting = f"the disk of {self._settings.data} is full ({free >> 20} MiB free); make room on it"
            if waiting != self._waiting:
                log.error("%s", waiting)
            self._waiting = waiting
            self._slave_link.changed()
            await asyncio.sleep(ROOM_SECONDS)
        return not self._process.stopping.is_set()

    def _open(self) -> tuple[Log, StateMachine]:
        data = self._settings.data
        try:
            return founding.open_log(data), StateMachine.open(data / "state", self._cluster_id)
        except (Corrupt, StateError) as e:
            raise CannotStart(f"the data in {data} cannot be used: {e}") from e

    async def _serve(self, log_: Log, state: StateMachine) -> Server:
        settings, timing = self._settings, self._settings.consensus
        try:
            group = log_.group(
                founding.GROUP,
                settings.node,
                election=timing.election_ms // timing.tick_ms,
                heartbeat=timing.heartbeat_ms // timing.tick_ms,
                applied=state.applied_index,
                installed=state.installed_index,
            )
        except (Corrupt, NotFounded) as e:
            raise CannotStart(f"the log in {settings.data} cannot be used, and must not vote: {e}") from e
        place = Place(
            name=settings.name,
            node=settings.node,
            incarnation=self._incarnation,
            cluster_id=self._cluster_id,
            order=tuple(m.node for m in settings.members),
            data=settings.data,
            reserve_bytes=settings.reserve_mb << 20,
        )
        replica = self._replica = Replica(
            place,
            timing,
            log_,
            group,
            state,
            Codec(encode_command, lambda: stamp(time.time_ns())),
            self._process.crash,
        )
        peers = [Peer(m.node, m.address) for m in settings.members if m.node != settings.node]
        hello = pb.Hello(cluster_id=self._cluster_id, node=settings.node, incarnation=self._incarnation)
        links = Links(hello, peers, replica)
        replica.connect(links, peers)
        server = Server(ends_abandoned=settings.single_login)
        reader = Reader(state)
        services = self._services = add_services(
            server.grpc,
            replica,
            reader,
            Hub(),
            self._tasks,
            random_session,
            hold_seconds=settings.hold_seconds,
            dialect=DIALECTS[settings.dialect],
            single_login=settings.single_login,
        )
        me = Self(settings, self._cluster_id, self._incarnation, time.time_ns())
        sources = Sources(
            counters=services.counters,
            users=lambda: reader.counts().users,
            digest=reader.digest,
            copy_to=state.copy_to,
            copy_bytes=lambda: state.database().stat().st_size,
        )
        master_pb2_grpc.add_MasterServicer_to_server(MasterService(me, replica, links, sources), server.grpc)
        slave_pb2_grpc.add_ObituariesServicer_to_server(ObituaryService(replica), server.grpc)
        try:
            await server.start([settings.listen], (*services.names, *_OWN_SERVICES))
        except PortInUse as e:
            raise CannotStart(str(e)) from e
        for peer in peers:
            self._tasks.start(f"link to node {peer.node}", links.run(peer))
        for name, work in (("tick", replica.tick), ("compact", replica.compact), ("restore", replica.restore)):
            self._tasks.start(name, work())
        services.counters.on_streams = self._router_links.changed_soon
        self._router_links.start(self._tasks)
        self._tasks.start("health", self._report(server))
        return server

    async def _report(self, server: Server) -> None:
        """Tells the slave, the routers and health checks of each change.

        Who leads can wait a moment: any master takes a client's calls, and just when a leader is elected all processors
        are needed for what clients are waiting for.
        """
        assert self._replica is not None
        changed = asyncio.Event()
        self._replica.changed.append(changed.set)
        said: str | None = None
        while True:
            if self._replica.trouble != said:
                said = self._replica.trouble
                self._slave_link.changed()
                self._router_links.changed()
                await server.set_serving(not said)
            else:
                self._router_links.changed_soon()
            await changed.wait()
            changed.clear()

    async def _end(self, server: Server) -> None:
        replica = self._replica
        assert replica is not None
        if replica.view.leads:
            try:
                await replica.hand_over(HAND_OVER_SECONDS)
            except TimeoutError:
                log.warning("no other master took leadership over; the others will elect one")
        replica.stop(f"{self._settings.name} is stopping")
        await server.stop(DRAIN_SECONDS)
        await self._tasks.stop()
        replica.close()
        await replica.ended()

    # -- what others are told ----------------------------------------------------------------------------------------

    def _trouble(self) -> str:
        return self._replica.trouble if self._replica is not None else self._waiting

    def _heartbeat(self) -> slave_pb2.Heartbeat:
        trouble = self._trouble()
        return slave_pb2.Heartbeat(pid=os.getpid(), incarnation=self._incarnation, serving=not trouble, trouble=trouble)

    def _state(self) -> router_pb2.Message:
        settings, trouble = self._settings, self._trouble()
        view = self._replica.view if self._replica is not None else None
        leader = next((m.address for m in settings.members if view is not None and m.node == view.leader), "")
        return router_pb2.Message(
            text=settings.listen,
            state=router_pb2.MasterState(
                name=settings.name,
                incarnation=self._incarnation,
                serving=not trouble,
                leader=leader,
                term=view.term if view is not None else 0,
                open_streams=self._services.counters.open_streams if self._services is not None else 0,
                cluster_id=self._cluster_id,
                rank=[m.name for m in settings.members].index(settings.name) + 1,
            ),
        )
