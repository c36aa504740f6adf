"""One member of the consensus group as the master sees it: submit writes, wait for reads, hear of effects.

The member itself is native (raftnode.Node) and has threads of its own. Here is its face for asyncio: one way in, `poll`
when its descriptor says that something has happened, and one way out, its methods, of which none blocks. Commands of
one turn of the event loop go out together at its end; no command has a task of its own.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable, Mapping, Sequence

import raftnode

from tinysns.domain.writes import Answer, Command, Effect
from tinysns.replication import state_copies
from tinysns.replication.applier import BACKLOG_BYTES, Applier
from tinysns.replication.compaction import Compactor
from tinysns.replication.interface import Listener, NotServing, Overloaded, View
from tinysns.replication.pending import Name, Pending
from tinysns.replication.problems import Problems
from tinysns.replication.reads import Reads
from tinysns.runtime.settings import MasterSettings
from tinysns.storage.entries import encode_command
from tinysns.storage.state import StateMachine

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 1.0
POLL_BYTES = 1024 * 1024  # of entries at a time: what stands behind them is news, too
LAZY_MS = 20.0  # how long entries wait for others while nobody here waits for them
TRANSFER_AGAIN_SECONDS = 0.1
PROPOSE_AGAIN_SECONDS = 0.05


class Replica:
    """Implements interface.Submitter. Works from its making to `close`; `run` must be started as a task beside it.

    `crash` ends the process.
    """

    def __init__(
        self,
        settings: MasterSettings,
        cluster_id: str,
        node: raftnode.Node,
        state: StateMachine,
        crash: Callable[[BaseException], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._settings, self._cluster_id, self._node, self._state, self._crash = (
            settings,
            cluster_id,
            node,
            state,
            crash,
        )
        self._applier = Applier(state, self._applied, crash)
        self._compactor = Compactor(settings, node, state, self._applier)
        self._problems = Problems(settings, lambda: node.status().leader, self._reconsider)
        self._pending = Pending()
        self._reads = Reads(node.read_index)
        self._new: list[Name] = []  # submitted in this turn
        self._again: list[Name] = []  # to be proposed once more
        self._proposing: asyncio.Handle | None = None
        self._listeners: list[Listener] = []
        self._visible = state.applied_index
        self._wanted_index = 0  # of the state that is to be fetched; 0: none is
        self._state_wanted = asyncio.Event()
        self._incarnations: dict[int, int] = {}
        self._change: asyncio.Future[None] | None = None
        self._closed = False
        self._refusal = self._problems.refusal
        self.view = View()
        self.connected: frozenset[int] = frozenset()
        """Peers to which there is contact."""
        self.snapshots_installed = 0
        node.lazy(LAZY_MS)
        self._listen()

    # -- what services use (interface.Submitter) ---------------------------------------------------------------------

    def submit(self, command: Command) -> "asyncio.Future[Answer]":
        if refusal := self.problem:
            raise NotServing(refusal)
        name = command.session, command.number
        if name not in self._pending:
            self._pending.add(name, encode_command(command))
            self._new.append(name)
            self._propose_soon()
        return self._pending.wait(name)

    async def read_barrier(self) -> None:
        if self._refusal:
            raise NotServing(self._refusal)
        await self._reads.wait()

    def add_listener(self, listener: Listener) -> None:
        self._listeners.append(listener)

    @property
    def applied_index(self) -> int:
        return self._visible

    # -- what the master uses ----------------------------------------------------------------------------------------

    @property
    def problem(self) -> str:
        """Why this member does not serve, or should not be the first choice; empty if all is well."""
        return self._refusal or self._problems.disk

    @property
    def lost_peers(self) -> Mapping[int, int]:
        """Node and newest incarnation of each peer that there was contact to, and is none any more."""
        return {node: number for node, number in self._incarnations.items() if node not in self.connected}

    def status(self) -> raftnode.Status:
        """Indexes of the log and the like, for people."""
        return self._node.status()

    def next_change(self) -> "asyncio.Future[None]":
        """Done at the next change, from the call on, of leadership, of a problem, or of who is connected."""
        if self._change is None:
            self._change = self._loop.create_future()
        return asyncio.shield(self._change)

    def watched(self, anybody: bool) -> None:
        """Whether clients watch here what happens; if not, entries may come later and in larger pieces."""
        self._node.lazy(0.0 if anybody else LAZY_MS)

    async def transfer_leadership(self, deadline_seconds: float) -> View:
        """As leader: gives leadership to the best other member and waits until one leads. Raises TimeoutError."""
        async with asyncio.timeout(deadline_seconds):
            while self.view.leads or not self.view.leader:
                self._node.transfer()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TRANSFER_AGAIN_SECONDS):
                        await self.next_change()
        return self.view

    async def run(self) -> None:
        """For ever: shortens the log now and then, and fetches the state when this member is too far behind."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECKPOINT_SECONDS):
                    await self._state_wanted.wait()
            if self._wanted_index:
                await self._restore(self._wanted_index)
            else:
                await self._compactor.turn()

    def stop(self, sentence: str) -> None:
        """Refuses everything from now on."""
        self._problems.stopping = sentence
        self._reconsider()

    async def close(self) -> None:
        """Returns once all threads have ended, also the native ones: only then may the state be closed."""
        self._closed = True
        self._loop.remove_reader(self._node.fileno())
        self._problems.close()
        await self._applier.close()
        await asyncio.to_thread(self._node.stop)

    # -- the way out -------------------------------------------------------------------------------------------------

    def _propose_soon(self, delay_seconds: float = 0.0) -> None:
        if self._proposing is None:
            delayed = self._loop.call_later(delay_seconds, self._propose) if delay_seconds else None
            self._proposing = delayed or self._loop.call_soon(self._propose)

    def _propose(self) -> None:
        self._proposing = None
        if self._closed:
            return
        new, self._new, again, self._again = self._new, [], self._again, []
        try:
            if new:
                self._node.propose(self._pending.encoded(new))
        except raftnode.Overloaded as e:
            self._pending.refuse(new, Overloaded(f"{self._settings.name}: {e}"))
        try:
            if again:
                self._node.propose(self._pending.encoded(again))
        except raftnode.Overloaded:  # what is pending leaves, and then there is room
            self._again = again
            self._propose_soon(PROPOSE_AGAIN_SECONDS)

    # -- the way in --------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._listening = True
        self._loop.add_reader(self._node.fileno(), self._poll)

    def _poll(self) -> None:
        """Takes what has happened, unless so much waits to be applied that the node had better keep it."""
        room = BACKLOG_BYTES - self._applier.backlog_bytes
        if room <= 0:
            self._listening = False
            self._loop.remove_reader(self._node.fileno())
            return
        try:
            for event in self._node.poll(min(room, POLL_BYTES)):
                self._heard(event)
            self._applier.flush()
        except Exception as e:  # whatever it is, a rule is broken and this member must not go on (ARCHITECTURE.md, G7)
            self._crash(e)

    def _heard(self, event: raftnode.Event) -> None:
        match event:
            case raftnode.Committed():
                self._applier.put(event.entries, event.index)
            case raftnode.Reads():
                self._reads.confirmed(event.tickets, event.index)
                self._reads.reached(self._visible)
            case raftnode.View():
                self.view = View(event.role, event.leader, event.term)
                self._problems.contact(self.view.leader, bool(self._wanted_index))
                self._reconsider()
            case raftnode.Contact():
                self._incarnations[event.peer] = max(event.incarnation, self._incarnations.get(event.peer, 0))
                self.connected = self.connected | {event.peer} if event.up else self.connected - {event.peer}
                self._tell_change()
            case raftnode.Health():
                self._problems.disk_changed(event)
                self._applier.disk_is_good = not self._problems.disk
                if event.disk == raftnode.Disk.FULL:
                    raise OSError(self._problems.disk)  # the next start waits for room before it opens anything
                self._reconsider()
            case raftnode.StateWanted():
                self._wanted_index = event.index
                self._state_wanted.set()
                self._problems.contact(self.view.leader, fetching=True)
            case raftnode.Note():
                log.log(logging.WARNING if event.warning else logging.INFO, "%s", event.text)

    def _applied(self, effects: Sequence[Effect], index: int) -> None:
        self._visible = max(self._visible, index)  # a state that was installed is ahead of the log's next entries
        for effect in effects:
            if not self._pending.settle(effect):
                self._again.append((effect.command.session, effect.command.number))
        if self._again:
            self._propose_soon()
        for listener in self._listeners:
            listener.applied(effects, self._visible)
        self._reads.reached(self._visible)
        if not self._listening and not self._closed:
            self._listen()

    async def _restore(self, index: int) -> None:
        """Replaces the state by that of another member, at `index` or later."""
        if self._state.applied_index < index:  # else a crash came between its installation and the log's news of it
            leader, me = self.view.leader, self._settings.me
            masters = [m.address for m in sorted(self._settings.members, key=lambda m: m.node != leader) if m != me]
            log.info("the log of the others begins behind %d: fetching the state", index)
            staged = await state_copies.fetch(masters, self._cluster_id, index, self._state.stage)
            await self._applier.run(functools.partial(self._state.install, staged))
            self.snapshots_installed += 1
        if self._wanted_index == index:  # else an even newer one is wanted by now
            self._wanted_index = 0
            self._state_wanted.clear()
        self._visible = self._state.applied_index
        self._node.installed(self._visible)
        # What was committed up to there never comes by in the log: its second coming brings the answers.
        self._again = self._pending.names()
        self._propose_soon()
        for listener in self._listeners:
            listener.installed(self._visible)
        self._reads.reached(self._visible)
        self._problems.contact(self.view.leader, bool(self._wanted_index))
        self._reconsider()

    def _reconsider(self) -> None:
        """Something may be a problem now, or no longer."""
        before, self._refusal = self._refusal, self._problems.refusal
        if self._refusal and not before:
            log.warning("refusing clients: %s", self._refusal)
            error = NotServing(self._refusal)
            self._pending.fail_waiters(error)
            self._reads.fail(error)
            for listener in self._listeners:
                listener.refusing(self._refusal)
        self._tell_change()

    def _tell_change(self) -> None:
        if self._change is not None:
            change, self._change = self._change, None
            change.set_result(None)
