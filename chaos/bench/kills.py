"""available_kill_write_gap: a chaos run of nothing but kills of the Available master. Counts only if the run passes."""

from collections.abc import Callable
from pathlib import Path

from chaos.bench.measure import Measure
from chaos.checks.verdict import Word
from chaos.errors import CannotRun
from chaos.inventory import Inventory
from chaos.plan import make_plan
from chaos.report import build
from chaos.run import Options, new_folder, run
from chaos.traffic.processes import Load

_KILLS = 20
_WINDOW_SECONDS = 5.0
_SEED = 1
_LOAD = Load(writers=1, followers=1)


def kill_gap(inventory: Inventory, output: Path, say: Callable[[str], None]) -> list[Measure]:
    """Raises CannotRun if the run did not pass: a figure of a run that lost something is worth nothing."""
    folder = new_folder(output / "runs")
    plan = make_plan(_SEED, _KILLS, _WINDOW_SECONDS, targets=("available",))
    run(inventory, Options(plan, _LOAD), folder, say)
    _, verdict = build(folder)
    if verdict.word is not Word.PASS:
        raise CannotRun(f"the run in {folder} ended with {verdict.word!r}: {'; '.join(verdict.reasons)}")
    return [
        Measure("available_kill_write_gap", "ms", [judged.writes_ms for judged in verdict.faults]),
        Measure("available_kill_timeline_gap", "ms", [judged.timeline_ms for judged in verdict.faults]),
    ]
