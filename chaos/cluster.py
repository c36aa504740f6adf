"""What the cluster says of itself, asked of each process: what faults stand on, and never a basis of the verdict."""

import asyncio
import contextlib
from dataclasses import dataclass

import grpc

from chaos.inventory import Host, Inventory
from chaos.loop import complete
from tinysns.client import calls
from tinysns.client.status import master_state, slave_state
from tinysns.rpc.channels import open_channel
from tinysns.wire.v1 import router_pb2

_ASK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class MasterView:
    """A master; all zero if it did not answer."""

    host: Host
    pid: int = 0
    incarnation: int = 0
    serving: bool = False
    leads: bool = False
    leader: int = 0  # node id
    term: int = 0
    applied_index: int = 0
    open_streams: int = 0
    resident_bytes: int = 0
    release: str = ""
    trouble: str = "it does not answer"


@dataclass(frozen=True, slots=True)
class SlaveView:
    """A slave, and what it says of its master."""

    host: Host
    pid: int = 0
    state: str = "it does not answer"
    master_pid: int = 0
    master_incarnation: int = 0


@dataclass(frozen=True, slots=True)
class RouterView:
    """A router or deputy, and which masters have a stream open to it."""

    host: Host
    pid: int = 0
    connected: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ClusterView:
    """All processes at one moment (asked at the same time, so that they may disagree for an instant)."""

    masters: tuple[MasterView, ...]
    slaves: tuple[SlaveView, ...]
    routers: tuple[RouterView, ...]
    deputies: tuple[RouterView, ...] = ()

    @property
    def available(self) -> MasterView | None:
        """The leader of the newest term."""
        return max((m for m in self.masters if m.leads and m.serving), key=lambda m: m.term, default=None)

    def ailments(self) -> list[str]:
        """What keeps the cluster from being healthy, one sentence each; empty: all processes are up and agree."""
        found = [f"the master of {m.host.name} does not serve: {m.trouble}" for m in self.masters if not m.serving]
        if not self.available:
            found.append("no master leads")
        elif len({(m.leader, m.term) for m in self.masters if m.serving}) > 1:
            found.append("the masters do not agree on the leader")
        for slave in self.slaves:
            if not slave.pid:
                found.append(f"the slave of {slave.host.name} does not answer")
            elif slave.master_pid not in {m.pid for m in self.masters if m.host == slave.host}:
                found.append(f"the slave of {slave.host.name} does not watch its master ({slave.state})")
        for noun, routers in (("router", self.routers), ("deputy router", self.deputies)):
            for router in routers:
                missing = [m.host.name for m in self.masters if m.host.master not in router.connected]
                if not router.pid:
                    found.append(f"the {noun} of {router.host.name} does not answer")
                elif missing:
                    found.append(f"the {noun} of {router.host.name} does not see the masters of {', '.join(missing)}")
        return found


def look(inventory: Inventory) -> ClusterView:
    """Asks every process."""
    return complete(observe(inventory))


def routing_policy(inventory: Inventory) -> str:
    """`available` or `balanced`, as the first router that answers says; empty if none does."""
    return complete(_routing_policy(inventory))


async def _routing_policy(inventory: Inventory) -> str:
    for address in inventory.router_addresses:
        with contextlib.suppress(grpc.aio.AioRpcError):  # it does not answer: the next one may
            async with open_channel(address) as channel:
                return (await calls.route(channel)(router_pb2.RouteRequest(), timeout=_ASK_SECONDS)).policy
    return ""


async def observe(inventory: Inventory) -> ClusterView:
    """The same for whoever has an event loop already."""
    masters, slaves, routers, deputies = await asyncio.gather(
        asyncio.gather(*map(_master, inventory.masters)),
        asyncio.gather(*map(_slave, inventory.masters)),
        asyncio.gather(*map(_router, inventory.routers)),
        asyncio.gather(*map(_router, inventory.deputies)),
    )
    return ClusterView(tuple(masters), tuple(slaves), tuple(routers), tuple(deputies))


async def _master(host: Host) -> MasterView:
    found = await master_state(host.master)
    if found.unreachable:
        return MasterView(host, trouble=found.unreachable)
    return MasterView(
        host=host,
        pid=found.pid,
        incarnation=found.incarnation,
        serving=found.serving,
        leads=found.leads,
        leader=found.leader,
        term=found.term,
        applied_index=found.applied_index,
        open_streams=found.open_streams,
        resident_bytes=found.resident_bytes,
        release=found.release,
        trouble=found.trouble or "it does not say why",
    )


async def _slave(host: Host) -> SlaveView:
    found = await slave_state(host.slave)
    if found.unreachable:
        return SlaveView(host)
    return SlaveView(host, found.pid, found.state, found.master_pid, found.master_incarnation)


async def _router(host: Host) -> RouterView:
    try:
        async with open_channel(host.router) as channel:
            found = await calls.known_masters(channel)(router_pb2.MastersRequest(), timeout=_ASK_SECONDS)
    except grpc.aio.AioRpcError:
        return RouterView(host)  # down, or not ready to talk: it shows as not answering
    return RouterView(host, found.router_pid, frozenset(m.address for m in found.masters if m.connected))
