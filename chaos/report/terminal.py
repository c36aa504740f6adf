"""The report on a terminal."""

from rich.console import Console
from rich.table import Table

from chaos.checks.summary import summarise
from chaos.checks.verdict import Verdict, Word
from chaos.report.run import Run, downtimes

_STYLE = {Word.PASS: "bold green", Word.FAIL: "bold red", Word.NO_VERDICT: "bold yellow"}


def show(console: Console, run: Run, verdict: Verdict) -> None:
    """Downtime per target, then the verdict."""
    table = Table(title="Downtime that clients saw, in ms", title_justify="left")
    table.add_column("killed")
    for heading in ("times", "writes p50", "max", "timelines p50", "max"):
        table.add_column(heading, justify="right")
    for target, downtime in downtimes(verdict).items():
        figures = (downtime.writes.p50, downtime.writes.max, downtime.timeline.p50, downtime.timeline.max)
        table.add_row(target, str(downtime.writes.runs), *(f"{figure:.1f}" for figure in figures))
    if verdict.faults:
        calm = summarise([judged.calm_ms for judged in verdict.faults])
        table.add_row("nobody, just before", str(calm.runs), f"{calm.p50:.1f}", f"{calm.max:.1f}", "", "")
    console.print(table)
    delivered = verdict.delivered
    wrong = ((delivered.lost, "lost"), (delivered.duplicated, "doubled"), (delivered.disordered, "out of order"))
    counts = ", ".join(f"{len(findings)} {what}" for findings, what in wrong)
    console.print(f"{delivered.acknowledged:,} posts acknowledged, {counts}")
    console.print(f"[{_STYLE[verdict.word]}]{verdict.word}[/]")
    for reason in verdict.reasons:
        console.print(f"  - {reason}", markup=False)
    console.print(f"report: {run.folder / 'report.html'}", markup=False, soft_wrap=True)
