"""One member of the consensus group as the master sees it: submit writes, wait for reads, hear of effects.

This module only connects the parts: the driver (raft), the links (network), the applier (state), pending commands, read
barriers, failover and the disk's guard.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from raftlog import Group, Log, RaftError, Status, Write

from tinysns.domain.succession import LogEnd
from tinysns.domain.writes import Answer, Command, Effect
from tinysns.replication import transfer
from tinysns.replication.compaction import Compactor
from tinysns.replication.driver import Driver, View
from tinysns.replication.failover import Failover
from tinysns.replication.guard import Disk, Guard
from tinysns.replication.interface import Listener, NotServing
from tinysns.replication.links import Links, Peer
from tinysns.replication.pending import Pending
from tinysns.replication.reads import Reads
from tinysns.replication.workers import Committed, applier
from tinysns.runtime.settings import Consensus
from tinysns.storage.state import StateMachine

log = logging.getLogger(__name__)

OVERDUE_SECONDS = 0.25  # how often to look for commands that were submitted too long ago
GAP_SECONDS = 0.02
ISOLATE_SECONDS = 0.01
HAND_OVER_RETRY_SECONDS = 0.1
DEMOTION_SECONDS = 5.0  # how often a leader with a bad disk tries to hand over: the others' disks may be no better


@dataclass(frozen=True, slots=True)
class Place:
    """Who and where this member is."""

    name: str
    node: int
    incarnation: int  # greater with each start
    cluster_id: str
    order: tuple[int, ...]  # all members, as configured
    data: Path
    reserve_bytes: int


@dataclass(slots=True)
class Counters:
    """Since this process started."""

    local_writes: int = 0  # submitted while this member led
    forwarded_writes: int = 0
    snapshots_installed: int = 0


class Codec:
    """How commands become log entries (storage.entries); given, so that the engine knows nothing of the service."""

    def __init__(self, encode: Callable[[Command], bytes], stamp: Callable[[], bytes]) -> None:
        self.encode, self.stamp = encode, stamp


class Replica:
    """Implements interface.Submitter, driver.Owner and links.Inbox. `crash` ends the process."""

    def __init__(
        self,
        place: Place,
        timing: Consensus,
        log_: Log,
        group: Group,
        state: StateMachine,
        codec: Codec,
        crash: Callable[[BaseException], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._place, self._timing, self._log, self._state = place, timing, log_, state
        self._codec, self._crash = codec, crash
        self._driver = Driver(log_, group, self, codec.stamp, crash)
        self._applier = applier(state, self._applied, crash)
        self._pending = Pending()
        self._reads = Reads(place.node, place.incarnation, self._driver.ask_read_index)
        self._listeners: list[Listener] = []
        self._visible = state.applied_index
        self._gap_timer: asyncio.TimerHandle | None = None
        self._leader_seen_at = self._loop.time()
        self._refusal = f"{place.name} has just started and has not found a leader yet"
        self._stopping = False
        self._next_change = asyncio.Event()
        self._next_hand_over_at = self._next_overdue_at = 0.0
        self._guard = Guard(place.name, place.data, place.reserve_bytes, timing.disk_stall_ms / 1000)
        self._compactor = Compactor(log_, state, self._driver, timing, place.order.index(place.node) / len(place.order))
        self._snapshot: tuple[int, Write] | None = None
        self._snapshot_wanted = asyncio.Event()
        self.counters = Counters()
        self.changed: list[Callable[[], None]] = []  # called when leadership or the ability to serve changes

    def connect(self, links: Links, peers: Sequence[Peer]) -> None:
        """Gives it the network. Must come before `run`."""
        self._links, self._peers = links, {p.node: p for p in peers}
        self.failover = Failover(self._place.node, self._place.order, self._driver, links)

    # -- what services use (interface.Submitter) ---------------------------------------------------------------------

    async def submit(self, command: Command) -> Answer:
        self._refuse_if_not_serving()
        if self._guard.health.sentence:
            raise NotServing(self._guard.health.sentence)
        encoded = self._codec.encode(command)
        waiter, is_new = self._pending.add(command.session, command.number, encoded, self._loop.time())
        if is_new:
            self._send(encoded)
        return await waiter

    async def read_barrier(self) -> None:
        self._refuse_if_not_serving()
        waiter = self._reads.add()
        self._loop.call_soon(self._turn_reads)
        await waiter

    async def serving(self, *, writes: bool = False) -> None:
        while self._refusal or (writes and self._guard.health.sentence):
            if self._stopping:
                raise NotServing(self._refusal)
            await self._next_change.wait()

    def add_listener(self, listener: Listener) -> None:
        self._listeners.append(listener)

    @property
    def applied_index(self) -> int:
        return self._visible

    @property
    def view(self) -> View:
        return self._driver.view

    @property
    def trouble(self) -> str:
        """Why this member does not serve, or should not be the first choice; empty if all is well."""
        return self._refusal or self._guard.health.sentence

    @property
    def free_bytes(self) -> int:
        """On the data disk."""
        return self._guard.free_bytes

    def status(self) -> Status:
        """Indexes of the log, for people."""
        return self._driver.status()

    def _refuse_if_not_serving(self) -> None:
        if self._refusal:
            raise NotServing(self._refusal)

    # -- writes ------------------------------------------------------------------------------------------------------

    def _send(self, encoded: bytes) -> None:
        if self.view.leads:
            self.counters.local_writes += 1
            self._driver.propose([encoded])
        elif self.view.leader:
            self.counters.forwarded_writes += 1
            self._links.send_entries(self.view.leader, [encoded])

    def _resubmit(self, why: str) -> None:
        """Everything that was submitted here and not seen applied, to whoever leads now; doubles are harmless."""
        if self.view.leader:
            self._pending.touch(self._loop.time())
            self._send_again(list(self._pending.encoded()), why)

    def _resubmit_overdue(self, now: float) -> None:
        if self.view.leader and now >= self._next_overdue_at:
            self._next_overdue_at = now + OVERDUE_SECONDS
            self._send_again(self._pending.overdue(now), "age")

    def _send_again(self, commands: Sequence[bytes], why: str) -> None:
        if not commands:
            return
        log.debug("submitting %d commands again (%s)", len(commands), why)
        if self.view.leads:
            self._driver.propose(commands)
        else:
            self._links.send_entries(self.view.leader, commands)

    # -- driver.Owner ------------------------------------------------------------------------------------------------

    def send_raft(self, peer: int, packet: bytes) -> None:
        self._links.send_raft(peer, packet)

    def view_changed(self, old: View, new: View) -> None:
        log.debug("role %d leader %d term %d", new.role, new.leader, new.term)
        if new.leader and (new.leader, new.term) != (old.leader, old.term):
            self.failover.leader_known(new)
            self._reads.again()
            self._resubmit("leader")
        self._watch_contact(self._loop.time())
        self._tell_change()

    def committed(self, entries: Sequence[tuple[int, bytes]], applied_index: int) -> None:
        self._applier.put((entries, applied_index))
        self._applier.flush()

    def reads_confirmed(self, reads: Sequence[tuple[bytes, int]]) -> None:
        self._reads.confirmed(reads, self._visible)
        self._turn_reads()

    def snapshot_arrived(self, index: int, write: Write) -> None:
        self._snapshot = (index, write)
        self._snapshot_wanted.set()

    def compacted(self) -> None:
        self._compactor.compacted()

    # -- links.Inbox -------------------------------------------------------------------------------------------------

    def raft(self, peer: int, packet: bytes) -> None:
        try:
            self._driver.step(packet)
        except RaftError as e:
            log.warning("a packet of node %d cannot be read: %s", peer, e)
            self._links.drop(peer)

    def forwarded(self, entry: bytes) -> None:
        if self.view.leads:
            self._driver.propose([entry])

    def log_end(self, peer: int, lost_leader: int, lost_term: int, end: LogEnd) -> None:
        self.failover.log_end(peer, lost_leader, lost_term, end)

    def link_up(self, peer: int) -> None:
        self._driver.peer_lost_packets(peer)
        if peer == self.view.leader:
            self._resubmit("new link to the leader")

    def link_lost(self, peer: int) -> None:
        self.failover.leader_lost(peer, "link")
        self._driver.peer_lost_packets(peer)

    def obituary(self, peer: int, incarnation: int) -> None:
        """The slave of `peer` says that its master of this incarnation is dead."""
        if incarnation == self._links.incarnation(peer):
            self.failover.leader_lost(peer, "obituary")
            self._links.drop(peer)

    # -- apply -------------------------------------------------------------------------------------------------------

    def _applied(self, batch: Sequence[Committed], effects: list[Effect]) -> None:
        # a state that was installed is ahead of the log, whose next entries bring nothing new
        self._visible = max(self._visible, batch[-1][1])
        gap = False
        for effect in effects:
            gap |= not self._pending.settle(effect)
        for listener in self._listeners:
            listener.applied(effects, self._visible)
        self._reads.reached(self._visible)
        if gap and self._gap_timer is None:
            self._gap_timer = self._loop.call_later(GAP_SECONDS, self._close_gap)

    def _close_gap(self) -> None:
        self._gap_timer = None
        self._resubmit("gap")

    # -- background tasks: the master's wiring starts and owns them --------------------------------------------------

    async def tick(self) -> None:
        """Raft's clock. After a stall of this process, lost ticks are not replayed."""
        interval = self._timing.tick_ms / 1000
        next_at = self._loop.time()
        while True:
            next_at = max(next_at + interval, self._loop.time() - 5 * interval)
            await asyncio.sleep(max(0.0, next_at - self._loop.time()))
            now = self._loop.time()
            self._watch_disk(now)
            if self._guard.health.disk is not Disk.STALLED:
                self._driver.tick()
                self._links.tick(now)
                self._watch_contact(now)
            self._turn_reads()
            for peer in self._links.overflowed():
                self._driver.peer_lost_packets(peer)
            self._resubmit_overdue(now)

    async def compact(self) -> None:
        """See compaction.py."""
        await self._compactor.run()

    async def restore(self) -> None:
        """Installs the state of another member whenever this one is too far behind."""
        while True:
            await self._snapshot_wanted.wait()
            self._snapshot_wanted.clear()
            assert self._snapshot is not None
            index, write = self._snapshot
            await self._driver.writer.idle()
            await self._applier.idle()
            if self._state.applied_index < index:
                log.info("the log of the others begins behind %d: fetching the state", index)
                leader = self.view.leader
                peers = sorted(self._peers.values(), key=lambda p: p.node != leader)
                staged = await transfer.fetch(peers, self._place.cluster_id, index, self._state.stage)
                async with self._compactor.paused:
                    await self._applier.run(functools.partial(self._state.install, staged))
                self.counters.snapshots_installed += 1
            self._visible = self._state.applied_index
            self._driver.resume(write)
            for listener in self._listeners:
                listener.installed(self._visible)
            self._resubmit("state installed")

    def _turn_reads(self) -> None:
        self._reads.turn(self._loop.time())

    # -- can it serve? -----------------------------------------------------------------------------------------------

    def _watch_contact(self, now: float) -> None:
        """Without a leader for two election timeouts, refuse: the client's next master may be on the right side. The
        same while another member's state is fetched, since what is here does not move on."""
        if self._stopping:
            return
        if self.view.leader and not self._driver.paused:
            self._leader_seen_at = now
            if self._refusal:
                self._refusal = ""
                self._tell_change()
        elif not self._refusal and now - self._leader_seen_at > 2 * self._timing.election_ms / 1000:
            seconds = f"{now - self._leader_seen_at:.1f} s"
            if self._driver.paused:
                self._refuse(f"{self._place.name} is too far behind and has been fetching the state for {seconds}")
            else:
                self._refuse(f"{self._place.name} has had no contact with a leader for {seconds}")

    def _watch_disk(self, now: float) -> None:
        since = [s for s in (self._driver.writer.busy_since, self._applier.busy_since) if s is not None]
        old, new = self._guard.look(now, now - min(since) if since else 0.0)
        if new is not Disk.GOOD and self.view.leads and now >= self._next_hand_over_at:
            self._next_hand_over_at = now + DEMOTION_SECONDS
            log.warning("handing leadership to node %d", self._driver.transfer_leader())
        if new is old:
            return
        log.warning("disk: %s", self._guard.health.sentence or "good again")
        self.failover.may_campaign = new is Disk.GOOD
        if new is Disk.FULL:
            self._crash(OSError(self._guard.health.sentence))  # the next start waits for room before it opens anything
        if new is Disk.STALLED:
            self._refuse(self._guard.health.sentence)
            self._loop.call_later(ISOLATE_SECONDS, self._isolate)  # the message that hands leadership over goes first
        elif old is Disk.STALLED:
            self._leader_seen_at = now
            self._links.rejoin()
        self._tell_change()

    def _isolate(self) -> None:
        if self._guard.health.disk is Disk.STALLED:
            self._links.isolate()

    def _refuse(self, sentence: str) -> None:
        log.warning("refusing clients: %s", sentence)
        self._refusal = sentence
        error = NotServing(sentence)
        self._pending.fail_waiters(error)
        self._reads.fail(error)
        for listener in self._listeners:
            listener.refusing(sentence)
        self._tell_change()

    def _tell_change(self) -> None:
        self._next_change.set()
        self._next_change = asyncio.Event()
        for tell in list(self.changed):
            tell()

    # -- the end -----------------------------------------------------------------------------------------------------

    async def hand_over(self, deadline_seconds: float) -> View:
        """As leader: gives leadership to the best other member and waits until one leads. Raises TimeoutError."""
        moved = asyncio.Event()
        self.changed.append(moved.set)
        try:
            async with asyncio.timeout(deadline_seconds):
                while self.view.leads or not self.view.leader:
                    moved.clear()
                    self._driver.transfer_leader()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(HAND_OVER_RETRY_SECONDS):
                            await moved.wait()
        finally:
            self.changed.remove(moved.set)
        return self.view

    def stop(self, sentence: str) -> None:
        """Refuses everything from now on."""
        self._stopping = True
        self._refuse(sentence)

    def close(self) -> None:
        """Lets the threads end; nothing is left to come."""
        self.failover.close()
        if self._gap_timer is not None:
            self._gap_timer.cancel()
        self._driver.writer.close()
        self._applier.close()

    async def ended(self) -> None:
        """Returns once both threads have ended after `close`: only then may log and state be closed."""
        await self._driver.writer.ended()
        await self._applier.ended()
