"""tinysns.v1.Slave: the status for operators."""

import os

import grpc

from tinysns import __version__
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
