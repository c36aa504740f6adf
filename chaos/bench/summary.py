"""summary.json: all figures of one run, as multiples of the yardsticks of that run, and against another commit."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from chaos.bench.measure import Measure
from chaos.checks.summary import summarise

FILE = "summary.json"
Entry = dict[str, str | int | float | dict[str, float]]


def entries(measures: Sequence[Measure]) -> dict[str, Entry]:
    """One entry for each measure. Multiples are of the yardstick's p50, where there is that yardstick."""
    found = {measure.name: measure for measure in measures}
    return {measure.name: _entry(measure, found.get(measure.of)) for measure in measures}


def _entry(measure: Measure, floor: Measure | None) -> Entry:
    figures = summarise(measure.values)
    entry: Entry = {
        "unit": measure.unit,
        "runs": figures.runs,
        "p50": figures.p50,
        "p99": figures.p99,
        "max": figures.max,
    }
    if floor is not None and (one := summarise(floor.values).p50) > 0:
        entry |= {"multiple_p50": round(figures.p50 / one, 3), "multiple_p99": round(figures.p99 / one, 3)}
        entry["of"] = floor.name
    if measure.parts:
        entry["parts"] = {name: round(value, 3) for name, value in measure.parts.items()}
    return entry


def ratios(ours: Sequence[Measure], theirs: Sequence[Measure]) -> dict[str, float]:
    """Ours / theirs, of the p50, for each measure that both have and of which theirs is not nothing."""
    others = {measure.name: summarise(measure.values).p50 for measure in theirs}
    return {
        measure.name: round(summarise(measure.values).p50 / others[measure.name], 3)
        for measure in ours
        if others.get(measure.name)
    }


def write_summary(
    folder: Path,
    floors: Sequence[Measure],
    ours: Sequence[Measure],
    *,
    commit: str = "",
    theirs: Sequence[Measure] = (),
    notes: Sequence[str] = (),
) -> Path:
    """`commit`, `theirs`: what it was measured against; `notes`: what could not be known, in sentences."""
    summary: dict[str, object] = {**entries((*floors, *ours))}
    if commit:
        theirs_entries = {k: v for k, v in entries((*floors, *theirs)).items() if k not in {f.name for f in floors}}
        summary["against"] = {"commit": commit, "ratios": ratios(ours, theirs), "theirs": theirs_entries}
    if notes:
        summary["notes"] = list(notes)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.write_text(json.dumps(summary, indent=1) + "\n")
    return path


def lines(measures: Mapping[str, Entry]) -> list[str]:
    """For people, one line for each measure, and one below it for its parts."""
    found = []
    for name, entry in measures.items():
        line = f"{name:34} {_number(entry['p50']):>9} {_number(entry['p99']):>9} {_number(entry['max']):>9}"
        line += f" {entry['unit']!s:10} {entry['runs']!s:>5} runs"
        if "of" in entry:
            line += f"   {entry['multiple_p50']} / {entry['multiple_p99']} x {entry['of']}"
        found.append(line)
        parts = entry.get("parts")
        if isinstance(parts, dict):
            found.append("    " + ", ".join(f"{part} {_number(value)}" for part, value in parts.items()))
    return found


def _number(value: object) -> str:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no figure")
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
