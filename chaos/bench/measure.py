"""A measure: what was measured, how often, and its file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from chaos.checks.summary import summarise


@dataclass(frozen=True, slots=True)
class Measure:
    """All values of one measure, in one unit."""

    name: str
    unit: str
    values: Sequence[float]
    of: str = ""  # the yardstick of the same run, in multiples of whose p50 it is told as well
    parts: Mapping[str, float] = field(default_factory=dict)  # the medians of what it is made of, e.g. each process

    def write(self, folder: Path) -> str:
        """Writes <name>.json; returns the figures as a line for people. Raises ValueError if nothing was measured."""
        summary = summarise(self.values)
        folder.mkdir(parents=True, exist_ok=True)
        figures = {self.name: {"unit": self.unit, **asdict(summary)}}
        (folder / f"{self.name}.json").write_text(json.dumps(figures, indent=1) + "\n")
        return (
            f"{self.name}: {summary.runs} runs, min {summary.min:g}, p50 {summary.p50:g}, p99 {summary.p99:g},"
            f" max {summary.max:g} {self.unit}"
        )
