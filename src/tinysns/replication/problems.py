"""What keeps this member from serving, or from leading, in sentences for people.

Only what is known is said: a disk stalls when a system call of the log's own thread has not returned, as that thread
itself noted; contact is lost when the native member has known no leader for two election timeouts, however long Python
took to ask.
"""

import asyncio
from collections.abc import Callable

from raftnode import Disk, Health

from tinysns.runtime.settings import MasterSettings


class Problems:
    """Of one member. `leader()` asks the native member for it; `changed()` is called when time has made a problem."""

    def __init__(self, settings: MasterSettings, leader: Callable[[], int], changed: Callable[[], None]) -> None:
        self._name, self._data, self._reserve_mb = settings.name, settings.data, settings.reserve_mb
        self._patience_seconds = 2 * settings.consensus.election_seconds
        self._leader, self._changed = leader, changed
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._fetching = self._stalled = False
        self._contact = f"{self._name} has just started and has not found a leader yet"
        self.stopping = ""
        self.disk = ""

    @property
    def refusal(self) -> str:
        """Why clients are refused; empty if they are not."""
        return self.stopping or (self.disk if self._stalled else "") or self._contact

    def contact(self, leader: int, fetching: bool) -> None:
        """What is known of a leader, and whether another member's state is being fetched, so that what is here does not
        move on. Whoever waits for too long is refused: the client's next master may be on the right side."""
        self._fetching = fetching
        if leader and not fetching:
            self._contact = ""
            self.close()
        elif self._timer is None and not self._contact:
            self._wait(self._loop.time())

    def disk_changed(self, health: Health) -> None:
        """As the native member judges it."""
        free = f"{health.free_bytes >> 20} MiB and {health.free_inodes} files free"
        self._stalled = health.disk == Disk.STALLED
        if self._stalled:
            ms = health.stalled_seconds * 1000
            self.disk = f"{self._name}: a write to {self._data} has not returned for {ms:.0f} ms; check that disk"
        elif health.disk == Disk.FULL:
            self.disk = f"{self._name}: the disk of {self._data} is full ({free}); make room on it"
        elif health.disk == Disk.SCARCE:
            self.disk = (
                f"{self._name}: the disk of {self._data} is nearly full ({free}, {self._reserve_mb} MiB to be kept);"
                f" make room on it, until then this master only follows"
            )
        else:
            self.disk = ""

    def close(self) -> None:
        """No timer is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, since: float) -> None:
        self._timer = self._loop.call_later(self._patience_seconds, self._waited, since)

    def _waited(self, since: float) -> None:
        self._timer = None
        seconds = self._loop.time() - since
        if self._fetching:
            self._contact = f"{self._name} is too far behind and has been fetching the state for {seconds:.1f} s"
        elif self._leader():  # the news is on its way: not the leader was silent, but this loop stood still
            self._wait(since)
        else:
            self._contact = f"{self._name} has had no contact with a leader for {seconds:.1f} s"
        self._changed()
