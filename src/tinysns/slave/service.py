"""tinysns.v1.Slave: the status for operators, and the heartbeats of the master next door."""

import os
from collections.abc import AsyncIterator

import grpc

from tinysns import __version__
from tinysns.rpc.errors import abort
from tinysns.slave.watcher import Watcher
from tinysns.wire.v1 import slave_pb2 as pb
from tinysns.wire.v1 import slave_pb2_grpc


class SlaveService(slave_pb2_grpc.SlaveServicer):
    """Serves tinysns.v1.Slave."""

    def __init__(self, name: str, started_unix_ns: int, watcher: Watcher) -> None:
        self._name, self._started_unix_ns, self._watcher = name, started_unix_ns, watcher

    async def GetStatus(
        self, request: pb.SlaveStatusRequest, context: "grpc.aio.ServicerContext[pb.SlaveStatusRequest, pb.SlaveStatus]"
    ) -> pb.SlaveStatus:
        watch = self._watcher.watch
        return pb.SlaveStatus(
            name=self._name,
            pid=os.getpid(),
            state=watch.state,
            master_pid=watch.pid,
            master_incarnation=watch.incarnation if watch.pid else 0,
            adopted=watch.adopted and watch.pid != 0,
            restarts=watch.restarts,
            last_exit=watch.last_ending,
            next_start_in_seconds=self._watcher.next_start_in_seconds,
            started_unix_ns=self._started_unix_ns,
            release=__version__,
            master_trouble=self._watcher.trouble,
        )

    async def Heartbeats(
        self,
        request_iterator: AsyncIterator[pb.Heartbeat],
        context: "grpc.aio.ServicerContext[pb.Heartbeat, pb.HeartbeatsEnd]",
    ) -> pb.HeartbeatsEnd:
        if not context.peer().startswith("unix:"):
            await abort(
                context,
                grpc.StatusCode.PERMISSION_DENIED,
                "NOT_LOCAL",
                "heartbeats are for the slave's local socket; no other host can say that a master lives",
            )
        async for beat in request_iterator:
            self._watcher.heartbeat(beat.pid, beat.incarnation, beat.serving, beat.trouble)
        return pb.HeartbeatsEnd()
