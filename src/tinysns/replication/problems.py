"""What keeps this member from serving, or from leading, in sentences for people.

Only what is known is said: a disk stalls when a system call of the log's own thread has not returned, as that thread
itself noted; contact is lost when the native member has known no leader for so long, however long Python took to ask.
"""

from pathlib import Path

from raftnode import Disk, Health


class Problems:
    """Of the member on host `name` with its data in `data`; each is empty while there is nothing to say."""

    def __init__(self, name: str, data: Path, reserve_bytes: int) -> None:
        self._name, self._data, self._reserve_bytes = name, data, reserve_bytes
        self.stopping = ""
        self.contact = f"{name} has just started and has not found a leader yet"
        self.disk = ""
        self._stalled = False

    @property
    def refusal(self) -> str:
        """Why clients are refused."""
        return self.stopping or (self.disk if self._stalled else "") or self.contact

    @property
    def sentence(self) -> str:
        """Why this member does not serve, or should not be the first choice."""
        return self.refusal or self.disk

    def leader_known(self) -> None:
        self.contact = ""

    def no_contact(self, seconds: float) -> None:
        """The native member has known no leader for so long."""
        self.contact = f"{self._name} has had no contact with a leader for {seconds:.1f} s"

    def fetching(self, seconds: float) -> None:
        """What is here has not moved on for so long."""
        self.contact = f"{self._name} is too far behind and has been fetching the state for {seconds:.1f} s"

    def disk_changed(self, health: Health) -> None:
        """As the native member judges it."""
        self._stalled = health.disk == Disk.STALLED
        self.disk = self._of_disk(health)

    def _of_disk(self, health: Health) -> str:
        free = f"{health.free_bytes >> 20} MiB and {health.free_inodes} files free"
        match health.disk:
            case Disk.STALLED:
                ms = health.stalled_seconds * 1000
                return f"{self._name}: a write to {self._data} has not returned for {ms:.0f} ms; check that disk"
            case Disk.FULL:
                return f"{self._name}: the disk of {self._data} is full ({free}); make room on it"
            case Disk.SCARCE:
                return (
                    f"{self._name}: the disk of {self._data} is nearly full ({free}, {self._reserve_bytes >> 20} MiB to"
                    f" be kept); make room on it, until then this master only follows"
                )
        return ""
