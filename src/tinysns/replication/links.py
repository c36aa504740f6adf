"""Links: one long-lived stream for each ordered pair of masters, and what its end or its silence means.

To each peer there is an outbound stream that this member opened, and from each peer an inbound one. Whatever is for a
peer waits in a queue that belongs to one attempt of a stream (outbound.py).

The end of an established stream is told at once: the kernel closes it within milliseconds of the peer's death. It is no
proof of death (a network card may have gone away), so what is done about it must be safe if the peer lives. Silence is
told too: a pulse goes out every 50 ms, and a stream that is silent for longer than `silence_seconds` is replaced by
one on a new connection, not awaited: after a healed network TCP's own retransmission can take seconds.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc

from tinysns.domain.succession import LogEnd
from tinysns.replication.outbound import Outbound
from tinysns.rpc.channels import open_channel
from tinysns.rpc.errors import abort
from tinysns.wire.v1 import master_pb2 as pb
from tinysns.wire.v1 import master_pb2_grpc as services

log = logging.getLogger(__name__)

PULSE_SECONDS = 0.05
SILENCE_SECONDS = 0.5
# Not sooner: a peer that died is not back within this, and the milliseconds behind its end belong to the election.
RECONNECT_SECONDS = 0.1
REFUSED_SECONDS = 1.0  # to a peer that says that this member has no business there

# The peer ended, or will not speak now. OK: it replaces the stream. INTERNAL is what gRPC itself says when the peer
# ended the stream under a write.
_JUST_GONE = (
    grpc.StatusCode.OK,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
)

# How a write tells that the stream is over; the last two between two writes.
_ENDED = (grpc.aio.AioRpcError, asyncio.InvalidStateError, grpc.aio.UsageError)

_Call = grpc.aio.StreamUnaryCall[pb.PeerFrame, pb.ExchangeEnd]


@dataclass(frozen=True, slots=True)
class Peer:
    """Another member: its id in the group and where its master listens."""

    node: int
    address: str


class Inbox(Protocol):
    """Whom the links tell."""

    def raft(self, peer: int, packet: bytes) -> None: ...

    def forwarded(self, entry: bytes) -> None: ...

    def log_end(self, peer: int, lost_leader: int, lost_term: int, end: LogEnd) -> None: ...

    def link_up(self, peer: int) -> None:
        """The outbound stream to this peer is new: what was sent before may be lost."""

    def link_lost(self, peer: int) -> None:
        """A stream from or to this peer ended or fell silent. No proof of death."""


class Links:
    """All links of one member. `hello` names the cluster, this member and its incarnation."""

    def __init__(self, hello: pb.Hello, peers: Sequence[Peer], inbox: Inbox) -> None:
        self._hello, self._peers, self._inbox = hello, {p.node: p for p in peers}, inbox
        self._outbound: dict[int, Outbound] = {}
        self._inbound: dict[int, asyncio.Event] = {}  # set: end this stream
        self._incarnations: dict[int, int] = {}
        self._heard_at: dict[int, float] = {}
        self._pulsed_at = 0.0
        self._isolated = False
        self._calls: dict[int, _Call] = {}

    # -- sending -----------------------------------------------------------------------------------------------------

    def send_raft(self, peer: int, packet: bytes) -> None:
        if link := self._outbound.get(peer):
            link.raft(packet)

    def send_entries(self, peer: int, pieces: Sequence[bytes]) -> bool:
        """Forwards commands to the leader; False if there is no link to it now."""
        link = self._outbound.get(peer)
        if link is not None:
            link.entries(pieces)
        return link is not None

    def send_log_end(self, lost_leader: int, lost_term: int, end: LogEnd) -> None:
        """Tells all others that the leader is lost to this member, and where its log ends."""
        message = pb.LogEnd(lost_leader=lost_leader, lost_term=lost_term, last_term=end.term, last_index=end.index)
        for peer, link in self._outbound.items():
            if peer != lost_leader:
                link.frame(pb.PeerFrame(log_end=message))

    def connected(self) -> frozenset[int]:
        """Peers with streams in both directions."""
        return frozenset(self._outbound.keys() & self._inbound.keys())

    def incarnation(self, peer: int) -> int:
        """Of the peer's last hello; 0 if there was none."""
        return self._incarnations.get(peer, 0)

    def overflowed(self) -> list[int]:
        """Peers for which packets were dropped since the last call."""
        full = [peer for peer, link in self._outbound.items() if link.overflowed]
        for peer in full:
            self._outbound[peer].overflowed = False
        return full

    # -- outbound ----------------------------------------------------------------------------------------------------

    async def run(self, peer: Peer) -> None:
        """Keeps the stream to one peer, for ever."""
        while True:
            if self._isolated:
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            async with open_channel(peer.address) as channel:
                refused = await self._stream(peer, channel)
                # Only then is the channel closed: that, too, is work for which an election should not have to wait.
                await asyncio.sleep(REFUSED_SECONDS if refused else RECONNECT_SECONDS)

    async def _stream(self, peer: Peer, channel: grpc.aio.Channel) -> bool:
        """One attempt, until its end. True: the peer refuses this member."""
        link = Outbound()
        try:
            async with asyncio.timeout(SILENCE_SECONDS):  # unlike wait_for it never swallows a cancellation
                await channel.channel_ready()
        except TimeoutError:
            return False
        if self._isolated:
            return False
        call = services.MasterStub(channel).Exchange()
        sending = asyncio.create_task(self._send(call, link), name=f"send to node {peer.node}")
        # The end of the call must end it: a write to a call that was cancelled before it had begun waits for ever.
        call.add_done_callback(lambda _: sending.cancel())
        self._outbound[peer.node], self._calls[peer.node] = link, call
        self._inbox.link_up(peer.node)
        try:
            await asyncio.wait((sending,))
        finally:
            sending.cancel()
            call.cancel()
            del self._outbound[peer.node], self._calls[peer.node]
            self._inbox.link_lost(peer.node)
        with contextlib.suppress(asyncio.CancelledError, *_ENDED):  # what it ended with is asked below
            sending.result()
        code = await call.code()
        if code not in _JUST_GONE:
            log.warning("link to %s: %s", peer.address, await call.details())
        return code is grpc.StatusCode.FAILED_PRECONDITION

    async def _send(self, call: _Call, link: Outbound) -> None:
        await call.write(pb.PeerFrame(hello=self._hello))
        while True:
            for frame in await link.next():
                await call.write(frame)

    # -- inbound -----------------------------------------------------------------------------------------------------

    async def exchange(
        self, frames: AsyncIterator[pb.PeerFrame], context: "grpc.aio.ServicerContext[pb.PeerFrame, pb.ExchangeEnd]"
    ) -> pb.ExchangeEnd:
        """Serves Master.Exchange."""
        peer = await self._greet(frames, context)
        ended = asyncio.Event()
        if (older := self._inbound.get(peer)) is not None:
            older.set()
        self._inbound[peer] = ended
        self._heard_at[peer] = asyncio.get_running_loop().time()
        reading = asyncio.ensure_future(self._read(peer, frames, ended))
        waiting = asyncio.ensure_future(ended.wait())
        try:
            await asyncio.wait((reading, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            reading.cancel()
            waiting.cancel()
            if self._inbound.get(peer) is ended:
                del self._inbound[peer]
                self._inbox.link_lost(peer)
        if reading.done() and not reading.cancelled() and (error := reading.exception()) is not None:
            log.warning("what node %d sent cannot be read: %r", peer, error)
            await abort(
                context,
                grpc.StatusCode.INVALID_ARGUMENT,
                "BAD_PACKET",
                f"node {peer} sent what cannot be read: {error}",
            )
        return pb.ExchangeEnd()

    async def _greet(
        self, frames: AsyncIterator[pb.PeerFrame], context: "grpc.aio.ServicerContext[pb.PeerFrame, pb.ExchangeEnd]"
    ) -> int:
        if self._isolated:
            await abort(
                context, grpc.StatusCode.UNAVAILABLE, "ISOLATED", "this master has a stalled disk and speaks to nobody"
            )
        hello = (await anext(frames, pb.PeerFrame())).hello
        if hello.cluster_id != self._hello.cluster_id or hello.node not in self._peers:
            await abort(
                context,
                grpc.StatusCode.FAILED_PRECONDITION,
                "FOREIGN_MEMBER",
                f"node {hello.node} of cluster {hello.cluster_id or '(none)'} has no business here: this is node"
                f" {self._hello.node} of cluster {self._hello.cluster_id}; check inventory and data directories",
            )
        self._incarnations[hello.node] = hello.incarnation
        return hello.node

    async def _read(self, peer: int, frames: AsyncIterator[pb.PeerFrame], ended: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        async for frame in frames:
            if ended.is_set() or self._isolated:
                return
            self._heard_at[peer] = loop.time()
            match frame.WhichOneof("frame"):
                case "raft":
                    self._inbox.raft(peer, frame.raft)
                case "entry":
                    self._inbox.forwarded(frame.entry)
                case "log_end":
                    end = frame.log_end
                    self._inbox.log_end(peer, end.lost_leader, end.lost_term, LogEnd(end.last_term, end.last_index))
                case _:
                    pass  # a pulse; or a kind that a newer release knows

    # -- ends --------------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Call it often: sends pulses, and ends streams of peers that have said nothing for too long."""
        if now - self._pulsed_at >= PULSE_SECONDS:
            self._pulsed_at = now
            for link in self._outbound.values():
                link.pulse()
        for peer in list(self._inbound):
            if now - self._heard_at[peer] > SILENCE_SECONDS:
                log.warning("node %d is silent: its streams are replaced", peer)
                self.drop(peer)

    def drop(self, peer: int) -> None:
        """Ends the streams from and to this peer; new ones are tried at once, on new connections."""
        if (ended := self._inbound.get(peer)) is not None:
            ended.set()
        if (call := self._calls.get(peer)) is not None:
            call.cancel()

    def isolate(self) -> None:
        """Speaks to nobody and hears nobody until `rejoin`: to the others this member looks dead."""
        self._isolated = True
        for peer in self._peers:
            self.drop(peer)

    def rejoin(self) -> None:
        self._isolated = False
