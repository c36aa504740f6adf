"""What every measure is given: the running cluster, how much to measure, and where the values go."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from chaos.bench.loopback.cluster import Cluster
from chaos.bench.measure import Measure


class Lost(Exception):
    """The service lost, doubled or disordered something, which makes all figures of the run worthless."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of everything in each round; a side is measured in all rounds."""

    rounds: int = 4
    kills: int = 10
    floor_kills: int = 6
    floor_pings: int = 300
    floor_writes: int = 200
    idle_seconds: float = 10.0
    lone_seconds: float = 10.0
    batches: int = 800  # of 64 posts
    restarts: int = 3
    state_posts: int = 100_000
    busy_minutes: float = 10.0


QUICK = Effort(
    rounds=2,
    kills=2,
    floor_kills=3,
    floor_pings=100,
    floor_writes=50,
    idle_seconds=3.0,
    lone_seconds=3.0,
    batches=160,
    restarts=1,
    state_posts=20_000,
    busy_minutes=0.5,
)


@dataclass(slots=True)
class _Series:
    unit: str
    of: str
    values: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=dict)


class Sink:
    """The values of one side, from all rounds."""

    def __init__(self) -> None:
        self._series: dict[str, _Series] = {}
        self.notes: list[str] = []  # what could not be known

    def add(
        self, name: str, unit: str, values: Sequence[float], *, of: str = "", parts: Mapping[str, float] | None = None
    ) -> None:
        """More values of a measure. `of`: its yardstick; `parts`: what the value is made of, this time."""
        series = self._series.setdefault(name, _Series(unit, of))
        series.values += values
        for part, value in (parts or {}).items():
            series.parts.setdefault(part, []).append(value)

    def note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)

    def measures(self) -> list[Measure]:
        """Of everything that has values."""
        return [
            Measure(name, s.unit, s.values, s.of, {part: median(values) for part, values in s.parts.items()})
            for name, s in self._series.items()
            if s.values
        ]


@dataclass(slots=True)
class Session:
    """One side while its cluster runs."""

    cluster: Cluster
    effort: Effort
    sink: Sink
    histories: Path
    say: Callable[[str], None]
    posts: int = 0  # in its state, at least
    runs: int = 0

    def new_run(self, kind: str) -> tuple[str, Path]:
        """A name that no other run has, and the folder of its histories."""
        self.runs += 1
        name = f"{kind}-{self.runs}"
        return name, self.histories / name


Bench = Callable[[Session], None]
