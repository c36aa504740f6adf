"""A router on its port: what the router process and the deputies in the slaves have in common, which is all of it."""

import time
from random import Random

from tinysns.routing.course_routes import CourseRouting
from tinysns.routing.proxy import Proxy
from tinysns.routing.servicer import ObituaryService, RouterService, Routing, Self
from tinysns.rpc.call_id import random_session
from tinysns.rpc.channels import SMALL_WINDOWS
from tinysns.rpc.server import Server
from tinysns.runtime.settings import PROXY, RoutingSettings
from tinysns.runtime.tasks import Tasks
from tinysns.wire.v1 import router_pb2, router_pb2_grpc, slave_pb2, slave_pb2_grpc

_DRAIN_SECONDS = 0.1
_OWN_SERVICES = (
    router_pb2.DESCRIPTOR.services_by_name["Router"].full_name,
    slave_pb2.DESCRIPTOR.services_by_name["Obituaries"].full_name,
)


class RoutingServer:
    """Keeps nothing: after a start it knows what masters and slaves tell it again.

    `name`: the host that it runs on. `routers`: all of them, this one included; the router first, then the deputies.
    """

    def __init__(self, name: str, routers: tuple[str, ...], settings: RoutingSettings, tasks: Tasks) -> None:
        self._settings, self._tasks = settings, tasks
        proxy = settings.listen if settings.course_clients == PROXY else ""
        me = Self(name, routers, settings.policy, time.time_ns(), proxy)
        self._routing = Routing(me, settings.silence_seconds, Random(settings.seed))
        self._server = Server(SMALL_WINDOWS, ends_abandoned=settings.single_login)  # the windows are for the proxy
        own = RouterService(self._routing)
        router_pb2_grpc.add_RouterServicer_to_server(own, self._server.grpc)
        self._course = CourseRouting(self._routing, own)
        obituaries = ObituaryService(self._routing.table.died)
        slave_pb2_grpc.add_ObituariesServicer_to_server(obituaries, self._server.grpc)
        self._proxy = Proxy(self._routing, tasks, settings.hold_seconds, random_session)
        self._server.grpc.add_generic_rpc_handlers((*self._course.handlers(), *self._proxy.handlers()))

    async def start(self) -> None:
        """Returns once it answers. Raises PortInUse."""
        names = (*_OWN_SERVICES, *self._course.names, *self._proxy.names)
        await self._server.start([self._settings.listen], names)
        self._proxy.start()
        self._tasks.start("silence", self._routing.watch_silence())
        await self._server.set_serving(True)

    async def stop(self) -> None:
        """Ends what clients wait for here, too; the tasks are their owner's to stop."""
        await self._proxy.close()
        await self._server.stop(_DRAIN_SECONDS)
