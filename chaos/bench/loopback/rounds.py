"""The rounds of a run: yardsticks, then one side's slice of every measure, then the other side's.

A machine that changes its speed changes it for both sides. Only the side that is measured runs: an idle cluster costs
CPU time, too.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from chaos.bench.loopback.batches import posts_per_second
from chaos.bench.loopback.busy import busy
from chaos.bench.loopback.checkout import Checkout
from chaos.bench.loopback.cluster import Cluster
from chaos.bench.loopback.floors import FLOORS
from chaos.bench.loopback.frozen import frozen_python
from chaos.bench.loopback.idle import idle
from chaos.bench.loopback.kills import available_kill
from chaos.bench.loopback.lone import lone_100, lone_500
from chaos.bench.loopback.restarts import restart_to_serving
from chaos.bench.loopback.session import Bench, Effort, Session, Sink

# In this order in each round: first what wants a calm machine, last what leaves much behind.
BENCHES: dict[str, Bench] = {
    "idle_cpu_percent": idle,
    "post_to_follower_ms": lone_100,
    "cpu_ms_per_post_100": lone_100,
    "cpu_ms_per_post_500": lone_500,
    "available_kill_write_gap": available_kill,
    "available_kill_timeline_gap": available_kill,
    "posts_per_second": posts_per_second,
    "restart_to_serving_ms": restart_to_serving,
    "busy": busy,
    "frozen_python": frozen_python,
}
# They take long, or break something on purpose; in one round.
SCENARIOS = ("busy", "frozen_python")
# Which yardsticks a measure is told in.
_FLOORS_OF = {
    "post_to_follower_ms": ("floor_echo", "floor_fsync"),
    "available_kill_write_gap": ("floor_kill",),
    "available_kill_timeline_gap": ("floor_kill",),
}


class Side:
    """One checkout's cluster, stopped, and its values so far."""

    def __init__(self, checkout: Checkout, folder: Path, effort: Effort, say: Callable[[str], None]) -> None:
        self.checkout, self._say = checkout, say
        self.sink = Sink()
        cluster = Cluster(checkout, folder / checkout.label)
        self._session = Session(cluster, effort, self.sink, folder / f"{checkout.label}-histories", self._tell)

    @contextlib.contextmanager
    def running(self) -> Iterator[Session]:
        with self._session.cluster.running():
            yield self._session

    def _tell(self, line: str) -> None:
        self._say(f"  {self.checkout.label:6} {line}")


def chosen(only: Sequence[str]) -> tuple[list[str], list[str]]:
    """(yardsticks, measures) of a run; nothing named: all but the scenarios."""
    names = only or [name for name in (*FLOORS, *BENCHES) if name not in SCENARIOS]
    measures = [name for name in BENCHES if name in names]
    needed = {floor for name in measures for floor in _FLOORS_OF.get(name, ())}
    return [name for name in FLOORS if name in names or name in needed], measures


def run(
    sides: Sequence[Side],
    only: Sequence[str],
    effort: Effort,
    folder: Path,
    yardsticks: Sink,
    say: Callable[[str], None],
) -> None:
    """Measures into the sides' sinks, and the machine into `yardsticks`. Raises Lost, CannotRun."""
    floors, measures = chosen(only)
    benches = list(dict.fromkeys(BENCHES[name] for name in measures if name not in SCENARIOS))
    scenarios = [BENCHES[name] for name in measures if name in SCENARIOS]
    for n in range(effort.rounds if benches or floors else 0):
        say(f"round {n + 1} of {effort.rounds}")
        for name in floors:
            FLOORS[name](effort, yardsticks, folder)
        for side in _in_turn(sides, n):
            _measure(side, benches)
    for side in sides:
        _measure(side, scenarios)


def _in_turn(sides: Sequence[Side], n: int) -> Sequence[Side]:
    """Each of them comes first in every other round."""
    return sides if n % 2 == 0 else tuple(reversed(sides))


def _measure(side: Side, benches: Sequence[Bench]) -> None:
    if benches:
        with side.running() as session:
            for bench in benches:
                bench(session)
