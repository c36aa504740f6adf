"""Compaction: the log is kept only as far back as the state on disk does not replace it.

The position up to which it may go is that of the last checkpoint that reached the disk, never that of what was
applied: a power cut takes the state back to its last fsync, and from there the log must go on.
"""

import asyncio

from raftnode import Node

from tinysns.replication.applier import Applier
from tinysns.runtime.settings import Consensus
from tinysns.storage.state import StateMachine

MAX_LOG_BYTES = 96 * 1024 * 1024  # with large entries compact earlier than by their number


class Compactor:
    """`phase`: 0 to 1, different for each member: were all to compact at once, the leader would lose its quorum to
    it."""

    def __init__(self, node: Node, state: StateMachine, applier: Applier, limits: Consensus, phase: float) -> None:
        self._node, self._state, self._applier, self._limits = node, state, applier, limits
        self._threshold_entries = round(limits.compact_every_entries * (1 + phase))
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
            self._node.compact(self._durable, self._limits.keep_entries)
        elif held > 1 and status.log_bytes > MAX_LOG_BYTES:
            self._node.compact(self._durable, held // 4)
