"""Puts the service on a server: what the wiring of a master calls."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc

from tinysns.course.interfaces import interfaces
from tinysns.course.texts import SPRING2019, Dialect
from tinysns.replication.interface import Submitter
from tinysns.runtime.tasks import Tasks
from tinysns.sns import course, native
from tinysns.sns.counters import Counters
from tinysns.sns.course_writes import CourseWrites
from tinysns.sns.fanout import Hub
from tinysns.sns.own_session import OwnSession
from tinysns.sns.reads import Reads
from tinysns.sns.timelines import Timelines
from tinysns.storage.reader import Reader


@dataclass(frozen=True, slots=True)
class Services:
    """What `add_services` made."""

    names: tuple[str, ...]
    """of the gRPC services, for reflection"""
    counters: Counters
    reads: Reads

    def close(self) -> None:
        """After the server has stopped."""
        self.reads.close()


def add_services(
    server: grpc.aio.Server,
    submitter: Submitter,
    reader: Reader,
    hub: Hub,
    tasks: Tasks,
    new_session: Callable[[], int],
    *,
    hold_seconds: float = 10.0,
    dialect: Dialect = SPRING2019,
    single_login: bool = False,
) -> Services:
    """Adds all interfaces to a server that has not started yet, and makes `hub` a listener of `submitter`.

    `new_session` gives random session ids (for course clients' writes). `hold_seconds`: how long a call without a
    deadline may wait for a leader. `dialect`: the texts of csce438.SNSService. `single_login`: nobody may log in (over
    an interface of the course) who has a timeline open here.
    """
    counters = Counters()
    reads = Reads(reader, submitter, counters)
    timelines = Timelines(hub, reads, counters)
    submitter.add_listener(hub)
    writes = CourseWrites(submitter, OwnSession(submitter, tasks, new_session), new_session, hold_seconds)
    own = native.NativeService(submitter, hub, reads, timelines, counters, hold_seconds)
    served = interfaces(dialect)
    courses = [
        course.CourseService(i, writes, reads, timelines, counters, tasks, hold_seconds, single_login) for i in served
    ]
    server.add_generic_rpc_handlers((own.handlers(), *(c.handlers() for c in courses)))
    return Services((native.SERVICE, *(i.service for i in served)), counters, reads)
