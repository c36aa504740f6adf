"""What every fault is: it names its victim, strikes at a known instant, and proves that it happened and is over."""

from dataclasses import dataclass, field
from typing import Protocol

from chaos.cluster import ClusterView
from chaos.hosts import Remotes
from chaos.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Process:
    """One process as it was at some moment. Slaves and routers have no incarnation and no term (0)."""

    pid: int = 0
    incarnation: int = 0
    term: int = 0


@dataclass(frozen=True, slots=True)
class Victim:
    """What a fault is going to hit."""

    host: str
    before: Process
    bystander: Process = field(default_factory=Process)  # what must not notice: the master of a killed slave


@dataclass(frozen=True, slots=True)
class Injection:
    """When it was done: not before `asked_ns` and not after `done_ns` of the runner's monotonic clock."""

    asked_ns: int
    done_ns: int
    host_clock: str  # what the host's own clock said, for its journal
    command: str


class NotNow(Exception):
    """The fault cannot be injected now; str() says why."""


class Fault(Protocol):
    """A kind of fault with a target, e.g. kill of the router."""

    @property
    def kind(self) -> str: ...

    @property
    def target(self) -> str: ...

    def available(self, inventory: Inventory) -> str:
        """Empty, or one sentence that says why this cluster cannot have this fault."""

    def choose(self, cluster: ClusterView, choice: float) -> Victim:
        """The victim; `choice` (0 to 1) decides among several. Raises NotNow."""

    def inject(self, remotes: Remotes, victim: Victim) -> Injection:
        """Checks once more that the victim is ours, and does it. Raises NotNow, RemoteError."""

    def missing(self, cluster: ClusterView, victim: Victim) -> str:
        """Empty once the victim is back and that it was gone is proved; else what is still missing."""

    def after(self, cluster: ClusterView, victim: Victim) -> Process:
        """The victim's successor, for the proof."""

    def harm(self, cluster: ClusterView, victim: Victim) -> str:
        """Empty, or what it must not have done to anything but its victim."""
