"""The figures that stand for many runs: how many, the least, the middle, the 99th percentile, the most."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    runs: int
    min: float
    p50: float
    p99: float
    max: float


def summarise(values: Sequence[float]) -> Summary:
    """Percentiles by the nearest rank: each is a value that was really measured. Raises ValueError without values."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)

    def percentile(part: float) -> float:
        return ordered[max(0, math.ceil(part * len(ordered)) - 1)]

    figures = (round(x, 3) for x in (ordered[0], percentile(0.5), percentile(0.99), ordered[-1]))
    return Summary(len(ordered), *figures)
