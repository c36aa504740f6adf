"""`python -m chaos.bench.loopback`: measures, prints, writes build/bench/summary.json."""

import dataclasses
import math
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from chaos.bench.loopback import checkout
from chaos.bench.loopback.floors import FLOORS
from chaos.bench.loopback.processes import INTERRUPTIONS, stop
from chaos.bench.loopback.rounds import BENCHES, Side, run
from chaos.bench.loopback.session import QUICK, Effort, Lost, Sink
from chaos.bench.summary import entries, lines, ratios, write_summary
from chaos.errors import CannotRun
from tinysns.client import SnsError

LOST = 1
COULD_NOT_RUN = 4


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--against", metavar="COMMIT", help="build that commit beside, and measure both in turn")
@click.option("--only", type=click.Choice([*FLOORS, *BENCHES]), multiple=True, help="may be given several times")
@click.option("--quick", is_flag=True, help="few kills and short spans, to see whether it works")
@click.option("--kills", type=click.IntRange(1), help="of the Available master, of each side  [default: 40]")
@click.option("--rounds", type=click.IntRange(1), help="how often the sides take turns  [default: 4]")
@click.option("--minutes", type=click.FloatRange(0.1), help="of the scenario `busy`  [default: 10]")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=checkout.ROOT / "build/bench",
    help="for summary.json; the clusters' data goes into its folder `loopback`  [default: build/bench]",
)
def bench(
    against: str | None,
    only: tuple[str, ...],
    quick: bool,
    kills: int | None,
    rounds: int | None,
    minutes: float | None,
    output: Path,
) -> None:
    """Four masters, four slaves and a router on 127.0.0.1: what they cost and how long their clients wait.

    Measures that stand for one run of something are told in multiples of a yardstick, measured in the same run. `busy`
    and `frozen_python` are scenarios, and run only if they are named. Exit status: 1 if a post was lost, doubled or
    out of order, 4 if it could not run.
    """
    effort = _effort(quick, kills, rounds, minutes)
    folder = output.resolve() / "loopback"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    checkouts = [checkout.ours(), *([checkout.against(against, click.echo)] if against else [])]
    sides = [Side(found, folder, effort, click.echo) for found in checkouts]
    floors = Sink()
    try:
        run(sides, only, effort, folder, floors, click.echo)
    except KeyboardInterrupt:
        sides[0].sink.note("the run was interrupted: these are the values of what was complete by then")
        _report(sides, floors, output)
        raise
    _report(sides, floors, output)
    for side in sides:
        shutil.rmtree(folder / side.checkout.label)  # the clusters' data; of no use any more, because nothing was lost


def _report(sides: Sequence[Side], floors: Sink, output: Path) -> None:
    """Writes and prints what there is; each value in it comes from a span or run that lost nothing."""
    yardsticks, (ours, *others) = floors.measures(), [side.sink.measures() for side in sides]
    theirs, commit = (others[0], sides[1].checkout.commit) if others else ([], "")
    notes = list(dict.fromkeys(note for side in sides for note in side.sink.notes))
    path = write_summary(output, yardsticks, ours, commit=commit, theirs=theirs, notes=notes)
    for side, measures in zip(sides, (ours, theirs), strict=False):
        heading = f"{side.checkout.label}, {side.checkout.commit}"[:33]
        click.echo(f"\n{heading:34} {'p50':>9} {'p99':>9} {'max':>9}{'':25}p50 / p99 in multiples of")
        click.echo("\n".join(lines(entries((*yardsticks, *measures)))))
    if commit:
        click.echo(f"\nours / theirs ({commit[:12]}), of the p50")
        click.echo("\n".join(f"{name:34} {value:>9}" for name, value in ratios(ours, theirs).items()))
    click.echo("".join(f"\n{note}" for note in notes) + f"\nwritten: {path}")


def _effort(quick: bool, kills: int | None, rounds: int | None, minutes: float | None) -> Effort:
    effort = QUICK if quick else Effort()
    if rounds:
        total = effort.kills * effort.rounds
        effort = dataclasses.replace(effort, rounds=rounds, kills=math.ceil(total / rounds))
    if kills:
        effort = dataclasses.replace(effort, kills=math.ceil(kills / effort.rounds))
    return dataclasses.replace(effort, busy_minutes=minutes) if minutes else effort


def main() -> None:
    """The command; errors for people instead of tracebacks."""
    for number in INTERRUPTIONS:
        signal.signal(number, stop)
    try:
        bench.main(standalone_mode=False)
    except Lost as e:
        print(f"bench-loopback: {e}. The figures of this run are worth nothing.", file=sys.stderr)
        sys.exit(LOST)
    except (CannotRun, SnsError) as e:
        print(f"bench-loopback: {e}", file=sys.stderr)
        sys.exit(COULD_NOT_RUN)
    except click.ClickException as e:
        e.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        print("bench-loopback: interrupted", file=sys.stderr)
        sys.exit(COULD_NOT_RUN)


if __name__ == "__main__":
    main()
