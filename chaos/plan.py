"""The plan: which fault is injected in which window, and when in it. From a seed, or from a file to do it again."""

import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from chaos.errors import CannotRun

# The death that can hurt gets every second window.
TARGETS = ("available", "standby", "available", "slave", "available", "router")


@dataclass(frozen=True, slots=True)
class Step:
    """One window. `choice` (0 to 1) picks one of several victims; `offset` is the part of the window before it."""

    kind: str
    target: str
    offset: float
    choice: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The windows of a run, one fault each."""

    seed: int
    window_seconds: float
    steps: tuple[Step, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


def make_plan(seed: int, windows: int, window_seconds: float, targets: Sequence[str] = TARGETS) -> Plan:
    """As many of each target as the cycle gives for so many windows; the seed decides order and instants."""
    chance = random.Random(seed)
    order = list(itertools.islice(itertools.cycle(targets), windows))
    chance.shuffle(order)
    steps = (Step("kill", target, round(chance.uniform(0.2, 0.4), 4), round(chance.random(), 6)) for target in order)
    return Plan(seed, window_seconds, tuple(steps))


def read_plan(path: Path) -> Plan:
    """A plan.json, or the report.json of an earlier run. Raises CannotRun."""
    try:
        found = json.loads(path.read_text())
        found = found.get("plan", found)
        steps = tuple(
            Step(str(s["kind"]), str(s["target"]), float(s["offset"]), float(s["choice"])) for s in found["steps"]
        )
        return Plan(int(found["seed"]), float(found["window_seconds"]), steps)
    except OSError as e:
        raise CannotRun(f"cannot read the plan {path}: {e.strerror}") from e
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise CannotRun(f"{path} is not a plan: {e!r}; use the plan.json or report.json of an earlier run") from e
