"""The driver of one consensus group: who may do what, when, around the sans-IO core (raftlog).

One event loop owns the group. A turn takes everything that waits, in this order, which must hold (ARCHITECTURE.md,
rules 1-3):

1. notice a change of leader, then propose what queued, as one batch
2. for each Ready: send what may go before the disk (only a leader has any), queue its write, hand committed entries
   to the applier
3. flush: the log writer fsyncs in its thread, the next batch forms meanwhile
4. once written: send what had to wait (votes, acknowledgements), and turn again

Nothing here blocks, and nothing here reads a clock except to gather proposals.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from raftlog import Compacted, Group, Log, ProposalDropped, Ready, Status, Write

from tinysns.domain.succession import LogEnd
from tinysns.replication.workers import Worker, log_writer

LEADER = Group.LEADER

# Of one log entry. A post takes at least 3 bytes, so an entry cannot outgrow its 16 bits of numbers
# (domain/positions.py).
MAX_ENTRY_BYTES = 128 * 1024
MAX_ROUNDS_IN_FLIGHT = 2  # measured: more is slower
GATHER_SECONDS = 0.002  # let a larger batch form, but only while a round is in flight


@dataclass(frozen=True, slots=True)
class View:
    """What this member knows of the group's leadership."""

    role: int = Group.FOLLOWER
    leader: int = 0
    term: int = 0

    @property
    def leads(self) -> bool:
        return self.role == LEADER


class Owner(Protocol):
    """Whom the driver tells."""

    def send_raft(self, peer: int, packet: bytes) -> None: ...

    def view_changed(self, old: View, new: View) -> None: ...

    def committed(self, entries: Sequence[tuple[int, bytes]], applied_index: int) -> None:
        """`entries` may be empty: those of a new leader and configuration changes are left out."""

    def reads_confirmed(self, reads: Sequence[tuple[bytes, int]]) -> None: ...

    def snapshot_arrived(self, index: int, write: Write) -> None:
        """The group is paused until `resume(write)`: first the state must be at or behind `index`, durably."""

    def compacted(self) -> None: ...


class Driver:
    """See the module. `stamp()` gives the bytes of an Entry with only the leader's time."""

    def __init__(
        self, log: Log, group: Group, owner: Owner, stamp: Callable[[], bytes], crash: Callable[[BaseException], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._log, self._group, self._owner, self._stamp, self._crash = log, group, owner, stamp, crash
        self.writer: Worker[Write, None] = log_writer(log, self._written, crash)
        self.view = View()
        self._scheduled = False
        self._paused = False
        self._pieces: list[bytes] = []  # serialised Entry messages without time, to be proposed
        self._rounds: deque[int] = deque()  # last index of each proposed batch that is not committed yet
        self._gather_until = 0.0
        self._gathering: asyncio.TimerHandle | None = None
        self._applied = self._began_at = group.status().applied
        self._compacting: Write | None = None

    # -- what the owner asks for -------------------------------------------------------------------------------------

    def kick(self) -> None:
        """Takes a turn soon; several kicks are one turn."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def propose(self, pieces: Sequence[bytes]) -> None:
        """As leader: put these commands into the log. A change of leader drops them; their submitters submit again."""
        self._pieces += pieces
        self.kick()

    def step(self, packet: bytes) -> None:
        """A packet from a peer. One that cannot be parsed is the peer's fault: RaftError."""
        if not self._paused:
            self._group.step(packet)
            self.kick()

    def tick(self) -> None:
        if not self._paused and (self._group.tick() or self._pieces):
            self.kick()

    def ask_read_index(self, context: bytes) -> bool:
        asked = not self._paused and self._group.read_index(context)
        if asked:
            self.kick()
        return asked

    def forget_leader(self, leader: int) -> None:
        """Grant (pre-)votes from now on, although the lease of that leader has not run out."""
        self._group.forget_leader(leader)
        self.kick()

    def campaign(self) -> None:
        """Asks for votes, after a pre-vote: a false alarm cannot depose a leader that the others still hear."""
        if not self._paused and not self.view.leads:
            self._group.campaign()
            self._turn()

    def campaign_now(self) -> None:
        """Asks for votes at once: only when a quorum has lost the leader, so that the answer to a pre-vote is known."""
        if not self._paused and not self.view.leads:
            self._group.campaign_now()
            self._turn()

    def transfer_leader(self) -> int:
        """As leader: hands over to the follower with the most complete log; needs no disk. Returns it, 0 for none."""
        me = self.view.leader
        others = [p for p in self._group.progress() if p.peer != me and p.recently_active]
        if not self.view.leads or not others:
            return 0
        best = max(others, key=lambda p: p.matched).peer
        self._group.transfer_leader(best)
        self._turn()
        return best

    def log_end(self) -> LogEnd:
        """Where this member's log ends."""
        return LogEnd(*self._group.last())

    def status(self) -> Status:
        """Indexes and the like, for people."""
        return self._group.status()

    def peer_lost_packets(self, peer: int) -> None:
        self._group.unreachable(peer)
        self.kick()

    def compact(self, index: int, keep: int) -> None:
        """Drops the log up to `keep` entries before `index`, which the state has reached durably.

        Does nothing if that is not possible now or was done already.
        """
        # A state that came from another member is ahead of its log: that is cut no further than raft has handed it out,
        # which is not known before it hands out what the state did not have at the start.
        if self._paused or self._compacting is not None or self._applied == self._began_at:
            return
        try:
            self._compacting = self._group.compact(min(index, self._applied), keep)
        except Compacted:
            return
        self.writer.put(self._compacting)
        self.writer.flush()

    def resume(self, write: Write) -> None:
        """After `snapshot_arrived`: the state is in place, so the log may say so."""
        self._paused = False
        self.writer.put(write)
        self.kick()

    @property
    def paused(self) -> bool:
        return self._paused

    # -- the turn ----------------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._scheduled = False
        if self._paused:
            return
        try:
            self._notice_view()
            self._propose()
            while not self._paused and (ready := self._group.ready()) is not None:
                self._take(ready)
                self._notice_view()
            self.writer.flush()
        except Exception as e:  # whatever it is, a rule is broken and this member must not go on (ARCHITECTURE.md, G7)
            self._crash(e)

    def _notice_view(self) -> None:
        """Before anything is handed out: what waits for a new leader goes with its first entry into one fsync."""
        status = self._group.status()
        view = View(status.role, status.leader, status.term)
        if view != self.view:
            old, self.view = self.view, view
            self._pieces.clear()  # what was submitted here is pending, the rest is pending where it was submitted
            self._rounds.clear()
            self._owner.view_changed(old, view)

    def _take(self, ready: Ready) -> None:
        for peer, packet in ready.messages:
            self._owner.send_raft(peer, packet)
        if ready.snapshot is not None:
            self._paused = True
            self._applied = ready.applied
            self._owner.snapshot_arrived(ready.snapshot, ready.write)
            return
        self.writer.put(ready.write)
        while self._rounds and self._rounds[0] <= ready.applied:
            self._rounds.popleft()
        if ready.applied > self._applied:
            self._applied = ready.applied
            self._owner.committed(ready.committed, ready.applied)
        if ready.reads:
            self._owner.reads_confirmed(ready.reads)
        if self._pieces:
            self.kick()

    def _written(self, writes: Sequence[Write], _: None) -> None:
        for write in writes:
            for peer, packet in self._group.persisted(write):
                self._owner.send_raft(peer, packet)
            if write is self._compacting:
                self._compacting = None
                self._owner.compacted()
        if not self._scheduled:  # now rather than at the next turn of the loop: this is the way of every post
            self._turn()

    def _propose(self) -> None:
        if not self._pieces or not self.view.leads or len(self._rounds) >= MAX_ROUNDS_IN_FLIGHT or self._gathers():
            return
        pieces, self._pieces = self._pieces, []
        batch = _pack(pieces, self._stamp())
        try:
            first, _ = self._group.propose(batch)
        except ProposalDropped:  # a transfer is under way or too much is uncommitted: the next turn tries again
            self._pieces = pieces
            return
        self._rounds.append(first + len(batch) - 1)

    def _gathers(self) -> bool:
        """Whether to wait a little for more: only while a round is in flight, so a lone writer never waits."""
        now = self._loop.time()
        if not self._rounds or now >= self._gather_until > 0:
            self._gather_until = 0.0
            return False
        if self._gathering is None:
            self._gather_until = now + GATHER_SECONDS
            self._gathering = self._loop.call_later(GATHER_SECONDS, self._gathered)
        return True

    def _gathered(self) -> None:
        self._gathering = None
        self.kick()


def _pack(pieces: Sequence[bytes], stamp: bytes) -> list[bytes]:
    """Joins pieces into entries of at most MAX_ENTRY_BYTES (a larger single piece is an entry of its own)."""
    batch: list[bytes] = []
    current: list[bytes] = []
    size = 0
    for piece in pieces:
        if current and size + len(piece) > MAX_ENTRY_BYTES:
            batch.append(b"".join((*current, stamp)))
            current, size = [], 0
        current.append(piece)
        size += len(piece)
    batch.append(b"".join((*current, stamp)))
    return batch
