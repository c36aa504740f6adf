"""The state of every process, asked from each of them, and what is not well about it: for people and for chaos runs."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc

from tinysns.client import calls
from tinysns.client.errors import Indefinite, Unreachable
from tinysns.client.reasons import reason
from tinysns.rpc.channels import open_channel
from tinysns.wire.v1 import master_pb2, router_pb2, slave_pb2

SLAVE_PORT = 3012
_ANSWER_SECONDS = 1.0
_HAND_OVER_SECONDS = 10.0

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Call = Callable[[grpc.aio.Channel], "grpc.aio.UnaryUnaryMultiCallable[Request, Reply]"]


@dataclass(frozen=True, slots=True)
class KnownMaster:
    """What a router knows of a master."""

    address: str
    name: str
    connected: bool


@dataclass(frozen=True, slots=True)
class RouterState:
    """The router, or a deputy router, which is a part of the slave of its host."""

    address: str
    unreachable: str = ""  # why it did not answer; then the other fields mean nothing
    name: str = ""  # of its host
    pid: int = 0
    started_unix_ns: int = 0
    masters: tuple[KnownMaster, ...] = ()
    routers: tuple[str, ...] = ()  # all that it knows of: the router first, then the deputies


@dataclass(frozen=True, slots=True)
class MasterState:
    address: str
    unreachable: str = ""
    name: str = ""
    node: int = 0
    cluster_id: str = ""
    pid: int = 0
    incarnation: int = 0
    serving: bool = False
    trouble: str = ""
    role: str = ""  # "leader", "follower", "candidate", "pre_candidate"
    leader: int = 0
    leader_address: str = ""
    term: int = 0
    first_index: int = 0
    last_index: int = 0
    commit_index: int = 0
    applied_index: int = 0
    users: int = 0
    posts_delivered: int = 0
    open_streams: int = 0
    local_reads: int = 0
    forwarded_writes: int = 0
    local_writes: int = 0
    snapshots_installed: int = 0
    free_bytes: int = 0
    resident_bytes: int = 0
    release: str = ""
    fsync: bool = True
    started_unix_ns: int = 0

    @property
    def leads(self) -> bool:
        return self.role == "leader"


@dataclass(frozen=True, slots=True)
class SlaveState:
    address: str
    unreachable: str = ""
    name: str = ""
    pid: int = 0
    state: str = ""
    master_pid: int = 0
    master_incarnation: int = 0
    adopted: bool = False
    restarts: int = 0
    last_exit: str = ""
    next_start_in_seconds: float = 0.0
    started_unix_ns: int = 0
    release: str = ""
    master_trouble: str = ""  # why its master does not serve, as that told it


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """All processes at about one moment. `masters` and `slaves` are in the same order: by host."""

    routers: tuple[RouterState, ...]
    masters: tuple[MasterState, ...]
    slaves: tuple[SlaveState, ...]
    deputies: tuple[RouterState, ...] = ()  # the deputy routers, in the order in which clients know them

    @property
    def leader(self) -> MasterState | None:
        """The leader with the newest term: one that lost its office may not have noticed yet."""
        return max((m for m in self.masters if m.leads), key=lambda m: m.term, default=None)

    def troubles(self) -> tuple[str, ...]:
        """One sentence for everything that is not well."""
        found = [sentence for r in self.routers for sentence in self._troubles_of("the router", r)]
        found += [sentence for d in self.deputies for sentence in self._troubles_of("the deputy router", d)]
        for m in self.masters:
            if m.unreachable:
                found.append(f"the master {m.name or m.address} does not answer: {m.unreachable}")
            elif not m.serving:
                found.append(f"the master {m.name} does not serve: {m.trouble or 'it does not say why'}")
            elif not m.fsync:
                found.append(f"the master {m.name} runs without fsync and loses data in a power cut")
        for s in self.slaves:
            if s.unreachable:
                found.append(f"the slave {s.name or s.address} does not answer: {s.unreachable}")
            elif s.state != "serving":
                why = f": {s.master_trouble}" if s.master_trouble else ""
                found.append(f"the slave {s.name} says that its master is {s.state}{why}")
        if not self.masters:
            found.append("no router knows any master")
        elif self.leader is None:
            found.append("no master leads: writes wait")
        return tuple(found)

    def deputy_of(self, slave: SlaveState) -> RouterState | None:
        """The deputy router in this slave, if there should be one."""
        host = slave.address.rpartition(":")[0]
        mine = (d for d in self.deputies if (d.name == slave.name if d.name else d.address.startswith(f"{host}:")))
        return next(mine, None)

    def _troubles_of(self, what: str, router: RouterState) -> list[str]:
        if router.unreachable:
            return [f"{what} {router.address} does not answer: {router.unreachable}"]
        seen = {m.address for m in router.masters if m.connected}
        unseen = [m.name for m in self.masters if m.serving and m.address not in seen]
        return [f"{what} {router.address} has no connection to the master {name}" for name in unseen]


@dataclass(frozen=True, slots=True)
class Digest:
    """Equal digests at equal positions: equal state."""

    applied_index: int
    sha256: str


async def cluster_status(routers: Sequence[str], *, slave_port: int | None = None) -> ClusterStatus:
    """Asks the routers for the masters, and every process for its state. Raises Unreachable if no router answers.

    `routers`: one is enough, it knows the others. A slave is looked for on its master's address, by default at
    SLAVE_PORT. Whoever does not answer within a second is listed with the reason.
    """
    known, deputies = await _routers(routers)
    names = {master.address: master.name for router in (*known, *deputies) for master in router.masters}
    addresses = sorted(names, key=lambda address: (names[address], address))
    masters, slaves = await asyncio.gather(
        asyncio.gather(*(_master(address, names[address]) for address in addresses)),
        asyncio.gather(*(_slave(_at_port(address, slave_port or SLAVE_PORT), names[address]) for address in addresses)),
    )
    return ClusterStatus(known, tuple(masters), tuple(slaves), deputies)


async def master_state(master: str) -> MasterState:
    """Of one master, by its address; `unreachable` says why there is none."""
    return await _master(master, "")


async def slave_state(slave: str) -> SlaveState:
    """Of one slave, by its address; `unreachable` says why there is none."""
    return await _slave(slave, "")


async def digest(master: str) -> Digest:
    """Of all that clients can see on this master. Raises Unreachable."""
    try:
        reply = await _ask(master, calls.master_digest, master_pb2.DigestRequest(), _HAND_OVER_SECONDS)
    except grpc.aio.AioRpcError as e:
        raise Unreachable(f"the master {master} gave no digest: {reason(e)}") from None
    return Digest(reply.applied_index, reply.sha256)


async def hand_over(master: str) -> tuple[int, int]:
    """Lets this master give leadership away; returns (node id of the new leader, its term). Raises Indefinite."""
    try:
        reply = await _ask(master, calls.hand_over, master_pb2.HandOverRequest(), _HAND_OVER_SECONDS)
    except grpc.aio.AioRpcError as e:
        raise Indefinite(f"the master {master} may not have handed over: {reason(e)}") from None
    return reply.leader, reply.term


async def _routers(given: Sequence[str]) -> tuple[tuple[RouterState, ...], tuple[RouterState, ...]]:
    """Routers and deputies. Which is which, those that answer know; if they do not, all are routers."""
    states = {address: state for address, state in zip(given, await _ask_routers(given), strict=True)}
    if all(router.unreachable for router in states.values()):
        reasons = "; ".join(f"{router.address}: {router.unreachable}" for router in states.values())
        raise Unreachable(f"no router answers (tried {reasons})")
    named = list(dict.fromkeys(address for state in states.values() for address in state.routers))
    more = [address for address in named if address not in states]
    states |= zip(more, await _ask_routers(more), strict=True)
    deputies = tuple(states[address] for address in named[1:])
    return tuple(state for state in states.values() if state not in deputies), deputies


async def _ask_routers(addresses: Sequence[str]) -> list[RouterState]:
    return await asyncio.gather(*(_router(address) for address in addresses))


async def _router(address: str) -> RouterState:
    try:
        reply = await _ask(address, calls.known_masters, router_pb2.MastersRequest(), _ANSWER_SECONDS)
    except grpc.aio.AioRpcError as e:
        return RouterState(address, unreachable=reason(e))
    masters = tuple(KnownMaster(m.address, m.state.name, m.connected) for m in reply.masters)
    return RouterState(
        address=address,
        name=reply.router_name,
        pid=reply.router_pid,
        started_unix_ns=reply.router_started_unix_ns,
        masters=masters,
        routers=tuple(reply.routers),
    )


async def _master(address: str, name: str) -> MasterState:
    try:
        s = await _ask(address, calls.master_status, master_pb2.StatusRequest(), _ANSWER_SECONDS)
    except grpc.aio.AioRpcError as e:
        return MasterState(address, unreachable=reason(e), name=name)
    return MasterState(
        address=address,
        name=s.name,
        node=s.node,
        cluster_id=s.cluster_id,
        pid=s.pid,
        incarnation=s.incarnation,
        serving=s.serving,
        trouble=s.trouble,
        role=master_pb2.Role.Name(s.role).lower(),
        leader=s.leader,
        leader_address=s.leader_address,
        term=s.term,
        first_index=s.first_index,
        last_index=s.last_index,
        commit_index=s.commit_index,
        applied_index=s.applied_index,
        users=s.users,
        posts_delivered=s.posts_delivered,
        open_streams=s.open_streams,
        local_reads=s.local_reads,
        forwarded_writes=s.forwarded_writes,
        local_writes=s.local_writes,
        snapshots_installed=s.snapshots_installed,
        free_bytes=s.free_bytes,
        resident_bytes=s.resident_bytes,
        release=s.release,
        fsync=s.fsync,
        started_unix_ns=s.started_unix_ns,
    )


async def _slave(address: str, name: str) -> SlaveState:
    try:
        s = await _ask(address, calls.slave_status, slave_pb2.SlaveStatusRequest(), _ANSWER_SECONDS)
    except grpc.aio.AioRpcError as e:
        return SlaveState(address, unreachable=reason(e), name=name)
    return SlaveState(
        address=address,
        name=s.name,
        pid=s.pid,
        state=s.state,
        master_pid=s.master_pid,
        master_incarnation=s.master_incarnation,
        adopted=s.adopted,
        restarts=s.restarts,
        last_exit=s.last_exit,
        next_start_in_seconds=s.next_start_in_seconds,
        started_unix_ns=s.started_unix_ns,
        release=s.release,
        master_trouble=s.master_trouble,
    )


async def _ask(address: str, call: "Call[Request, Reply]", request: Request, answer_seconds: float) -> Reply:
    async with open_channel(address) as channel:
        return await call(channel)(request, timeout=answer_seconds)


def _at_port(address: str, port: int) -> str:
    return f"{address.rpartition(':')[0]}:{port}"
