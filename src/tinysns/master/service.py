"""tinysns.v1.Master: what other masters and operators ask of this one."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import raftnode

from tinysns import __version__
from tinysns.master import state_copies
from tinysns.replication.replica import Replica
from tinysns.rpc.errors import abort
from tinysns.runtime.settings import MasterSettings
from tinysns.sns.counters import Counters
from tinysns.wire.v1 import master_pb2 as pb
from tinysns.wire.v1 import master_pb2_grpc

TRANSFER_SECONDS = 2.0


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

    def __init__(self, me: Self, replica: Replica, sources: Sources) -> None:
        self._me, self._replica, self._sources = me, replica, sources
        self._addresses = {m.node: m.address for m in me.settings.members}

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
        if self._replica.status().free_bytes - self._sources.copy_bytes() < settings.reserve_mb << 20:
            await abort(
                context,
                grpc.StatusCode.UNAVAILABLE,
                "NO_ROOM",
                f"{settings.name} has no room for a copy of its state; make room on the disk of {settings.data}",
            )
        async for chunk in state_copies.send(self._sources.copy_to, settings.data / "state"):
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
            serving=not replica.problem,
            trouble=replica.problem,
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
            forwarded_writes=status.forwarded,
            local_writes=status.local,
            snapshots_installed=replica.snapshots_installed,
            free_bytes=status.free_bytes,
            free_inodes=status.free_inodes,
            resident_bytes=_resident_bytes(),
            release=__version__,
            fsync=raftnode.FSYNC,
            started_unix_ns=me.started_unix_ns,
            fsyncs=status.fsyncs,
            turns=status.turns,
            wakes=status.wakes,
            pending_writes=status.pending,
            fsync_usual_ms=status.fsync_usual_ms,
            log_bytes=status.log_bytes,
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
            view = await self._replica.transfer_leadership(TRANSFER_SECONDS)
        except TimeoutError:
            await abort(
                context,
                grpc.StatusCode.UNAVAILABLE,
                "NO_SUCCESSOR",
                f"no other master took leadership over within {TRANSFER_SECONDS:.0f} s; see `sns status`",
                definite=False,
            )
        return pb.HandOverReply(leader=view.leader, term=view.term)


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
