"""Compaction: the log is kept only as far back as the state on disk does not replace it.

The position up to which it may go is that of the last checkpoint that reached the disk, never that of what was
applied: a power cut takes the state back to its last fsync, and from there the log must go on.
"""

import asyncio

from raftnode import Node

from tinysns.replication.applier import Applier
from tinysns.runtime.settings import MasterSettings
from tinysns.storage.state import StateMachine

MAX_LOG_BYTES = 96 * 1024 * 1024  # with large entries compact earlier than by their number


class Compactor:
    """Of one member. Its log is cut at another length than all others: the leader would lose its quorum to it."""

    def __init__(self, settings: MasterSettings, node: Node, state: StateMachine, applier: Applier) -> None:
        self._node, self._state, self._applier = node, state, applier
        phase = settings.members.index(settings.me) / len(settings.members)
        self._threshold_entries = round(settings.consensus.compact_every_entries * (1 + phase))
        self._keep_entries = settings.consensus.keep_entries
        self._durable = -1

    async def turn(self) -> None:
        """Brings the state to disk, and shortens the log if that is worth it. Not while the state is replaced."""
        if self._state.applied_index == self._durable:
            return
        self._applier.checkpointing = True
        try:
            self._durable = await asyncio.to_thread(self._state.checkpoint)
        finally:
            self._applier.checkpointing = False
        status = self._node.status()
        held = self._durable - status.first
        if held >= self._threshold_entries:
            self._node.compact(self._durable, self._keep_entries)
        elif held > 1 and status.log_bytes > MAX_LOG_BYTES:
            self._node.compact(self._durable, held // 4)
