"""tinysns.v1.Master and Obituaries: what other masters, slaves and operators ask of this one."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import raftlog

from tinysns import __version__
from tinysns.replication import transfer
from tinysns.replication.links import Links
from tinysns.replication.replica import Replica
from tinysns.rpc.errors import abort
from tinysns.runtime.settings import MasterSettings
from tinysns.sns.counters import Counters
from tinysns.wire.v1 import master_pb2 as pb
from tinysns.wire.v1 import master_pb2_grpc, slave_pb2, slave_pb2_grpc

HAND_OVER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Self:
    """What does not change about this process."""

    settings: MasterSettings
    cluster_id: str
    incarnation: int
    started_unix_ns: int  # for display

    @property
    def address(self) -> str:
        return self.settings.listen


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the figures of the status come from."""

    counters: Counters
    users: Callable[[], int]  # blocking
    digest: Callable[[], tuple[int, str]]  # blocking: (applied index, SHA-256)
    copy_to: Callable[[Path], int]  # blocking: a copy of the state there, returns its applied index
    copy_bytes: Callable[[], int]  # about how large that is


class MasterService(master_pb2_grpc.MasterServicer):
    """Serves tinysns.v1.Master."""

    def __init__(self, me: Self, replica: Replica, links: Links, sources: Sources) -> None:
        self._me, self._replica, self._links, self._sources = me, replica, links, sources
        self._addresses = {m.node: m.address for m in me.settings.members}

    async def Exchange(
        self,
        request_iterator: AsyncIterator[pb.PeerFrame],
        context: "grpc.aio.ServicerContext[pb.PeerFrame, pb.ExchangeEnd]",
    ) -> pb.ExchangeEnd:
        return await self._links.exchange(request_iterator, context)

    async def FetchState(
        self,
        request: pb.FetchStateRequest,
        context: "grpc.aio.ServicerContext[pb.FetchStateRequest, pb.StateChunk]",
    ) -> AsyncIterator[pb.StateChunk]:
        if request.cluster_id != self._me.cluster_id:
            await abort(
                context,
                grpc.StatusCode.FAILED_PRECONDITION,
                "FOREIGN_MEMBER",
                f"this master is of cluster {self._me.cluster_id}, not {request.cluster_id or '(none)'}",
            )
        if self._replica.applied_index < request.at_least_index:
            await abort(
                context,
                grpc.StatusCode.UNAVAILABLE,
                "BEHIND",
                f"{self._me.settings.name} is at {self._replica.applied_index}, behind {request.at_least_index}",
            )
        settings = self._me.settings
        if self._replica.free_bytes - self._sources.copy_bytes() < settings.reserve_mb << 20:
            await abort(
                context,
                grpc.StatusCode.UNAVAILABLE,
                "NO_ROOM",
                f"{settings.name} has no room for a copy of its state; make room on the disk of {settings.data}",
            )
        async for chunk in transfer.send(self._sources.copy_to, settings.data / "state"):
            yield chunk

    async def GetStatus(
        self, request: pb.StatusRequest, context: "grpc.aio.ServicerContext[pb.StatusRequest, pb.MasterStatus]"
    ) -> pb.MasterStatus:
        me, replica, sources = self._me, self._replica, self._sources
        status, view = replica.status(), replica.view
        return pb.MasterStatus(
            name=me.settings.name,
            address=me.address,
            node=me.settings.node,
            cluster_id=me.cluster_id,
            incarnation=me.incarnation,
            pid=os.getpid(),
            serving=not replica.trouble,
            trouble=replica.trouble,
            role=pb.Role.Name(view.role),
            leader=view.leader,
            leader_address=self._addresses.get(view.leader, ""),
            term=view.term,
            first_index=status.first,
            last_index=status.last,
            commit_index=status.commit,
            applied_index=replica.applied_index,
            users=await asyncio.to_thread(sources.users),
            posts_delivered=sources.counters.posts_delivered,
            open_streams=sources.counters.open_streams,
            local_reads=sources.counters.local_reads,
            forwarded_writes=replica.counters.forwarded_writes,
            local_writes=replica.counters.local_writes,
            snapshots_installed=replica.counters.snapshots_installed,
            free_bytes=replica.free_bytes,
            resident_bytes=_resident_bytes(),
            release=__version__,
            fsync=raftlog.FSYNC,
            started_unix_ns=me.started_unix_ns,
        )

    async def GetDigest(
        self, request: pb.DigestRequest, context: "grpc.aio.ServicerContext[pb.DigestRequest, pb.StateDigest]"
    ) -> pb.StateDigest:
        applied_index, sha256 = await asyncio.to_thread(self._sources.digest)
        return pb.StateDigest(applied_index=applied_index, sha256=sha256)

    async def HandOver(
        self, request: pb.HandOverRequest, context: "grpc.aio.ServicerContext[pb.HandOverRequest, pb.HandOverReply]"
    ) -> pb.HandOverReply:
        try:
            view = await self._replica.hand_over(HAND_OVER_SECONDS)
        except TimeoutError:
            await abort(
                context,
                grpc.StatusCode.UNAVAILABLE,
                "NO_SUCCESSOR",
                f"no other master took leadership over within {HAND_OVER_SECONDS:.0f} s; see `sns status`",
                definite=False,
            )
        return pb.HandOverReply(leader=view.leader, term=view.term)


class ObituaryService(slave_pb2_grpc.ObituariesServicer):
    """Serves tinysns.v1.Obituaries: the slaves tell at once when a master is dead."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def Announce(
        self,
        request_iterator: AsyncIterator[slave_pb2.Obituary],
        context: "grpc.aio.ServicerContext[slave_pb2.Obituary, slave_pb2.AnnounceEnd]",
    ) -> slave_pb2.AnnounceEnd:
        async for obituary in request_iterator:
            if obituary.incarnation:
                self._replica.obituary(obituary.node, obituary.incarnation)
        return slave_pb2.AnnounceEnd()


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
