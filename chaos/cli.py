"""`sns-chaos`: run, report."""

import random
import sys
from pathlib import Path

import click
from rich.console import Console

from chaos.checks.verdict import Word
from chaos.errors import CannotRun
from chaos.inventory import DEFAULT_INVENTORY, read_inventory
from chaos.plan import make_plan, read_plan
from chaos.report import build, publish
from chaos.report.terminal import show
from chaos.run import Options, new_folder, run
from chaos.traffic.processes import Load
from chaos.traffic.writer import Pace

EXIT = {Word.PASS: 0, Word.FAIL: 1, Word.NO_VERDICT: 3}
COULD_NOT_RUN = 4


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Kill processes of a running cluster while clients use it, and judge what the clients saw.

    Exit status: 0 pass, 1 fail, 3 no verdict, 4 could not run.
    """


@cli.command("run")
@click.option("-i", "--inventory", type=click.Path(path_type=Path), default=DEFAULT_INVENTORY, show_default=True)
@click.option("--windows", type=click.IntRange(1), default=12, show_default=True, help="how many, one fault in each")
@click.option("--window-seconds", type=click.FloatRange(2), default=30.0, show_default=True)
@click.option("--seed", type=int, help="decides order, instants and victims; random if not given")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="of an earlier run: its report.json")
@click.option("--writers", type=click.IntRange(1), default=3, show_default=True)
@click.option("--followers", type=click.IntRange(1), default=3, show_default=True)
@click.option("--every-ms", type=click.FloatRange(1), default=5.0, show_default=True, help="the pace of each writer")
@click.option("--recover-seconds", type=click.FloatRange(1), default=30.0, show_default=True, help="later is never")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/chaos"), show_default=True)
def run_command(
    inventory: Path,
    windows: int,
    window_seconds: float,
    seed: int | None,
    plan_file: Path | None,
    writers: int,
    followers: int,
    every_ms: float,
    recover_seconds: float,
    output: Path,
) -> None:
    """One fault per window, then the report."""
    console = Console(highlight=False)
    if plan_file:
        plan = read_plan(plan_file)
    else:
        plan = make_plan(random.randrange(1_000_000) if seed is None else seed, windows, window_seconds)
    options = Options(plan, Load(writers, followers, Pace(every_ms)), recover_seconds)
    hosts = read_inventory(inventory)
    folder = new_folder(output)
    console.print(f"seed {plan.seed}, {len(plan.steps)} windows of {plan.window_seconds:g} s")
    try:
        run(hosts, options, folder, lambda line: console.print(line, markup=False, soft_wrap=True))
    except BaseException:
        if not any(folder.iterdir()):
            folder.rmdir()  # nothing half-done
        raise
    sys.exit(_report(console, folder))


@cli.command("report")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def report_command(folder: Path) -> None:
    """Make the report of a run directory again, for example after a crash of the runner."""
    sys.exit(_report(Console(highlight=False), folder.resolve()))


def _report(console: Console, folder: Path) -> int:
    found, verdict = build(folder)
    publish(folder)
    show(console, found, verdict)
    return EXIT[verdict.word]


def main() -> None:
    """The command; errors for people instead of tracebacks."""
    try:
        cli.main(standalone_mode=False)
    except CannotRun as e:
        print(f"sns-chaos: {e}", file=sys.stderr)
        sys.exit(COULD_NOT_RUN)
    except click.ClickException as e:
        e.show()
        sys.exit(COULD_NOT_RUN)
    except (click.Abort, KeyboardInterrupt):
        print("sns-chaos: interrupted", file=sys.stderr)
        sys.exit(COULD_NOT_RUN)
