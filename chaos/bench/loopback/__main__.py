"""`python -m chaos.bench.loopback`: measures, prints, writes build/bench/summary.json."""

import dataclasses
import math
import shutil
import signal
import sys
from pathlib import Path

import click

from chaos.bench.loopback import checkout
from chaos.bench.loopback.floors import FLOORS
from chaos.bench.loopback.rounds import BENCHES, Side, run
from chaos.bench.loopback.session import QUICK, Effort, Lost
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
    floors = run(sides, only, effort, folder, click.echo).measures()
    ours, theirs = sides[0].sink.measures(), sides[1].sink.measures() if against else []
    notes = list(dict.fromkeys(note for side in sides for note in side.sink.notes))
    commit = checkouts[-1].commit if against else ""
    path = write_summary(output, floors, ours, commit=commit, theirs=theirs, notes=notes)
    for found, measures in zip(checkouts, (ours, theirs), strict=False):
        if measures or floors:
            heading = f"{found.label}, {found.commit}"[:33]
            click.echo(f"\n{heading:34} {'p50':>9} {'p99':>9} {'max':>9}{'':25}p50 / p99 in multiples of")
            click.echo("\n".join(lines(entries((*floors, *measures)))))
    if against:
        click.echo(f"\nours / theirs ({commit[:12]}), of the p50")
        click.echo("\n".join(f"{name:34} {value:>9}" for name, value in ratios(ours, theirs).items()))
    click.echo("".join(f"\n{note}" for note in notes) + f"\nwritten: {path}")
    for side in sides:
        shutil.rmtree(folder / side.label)  # the clusters' data; of no use any more, because nothing was lost


def _effort(quick: bool, kills: int | None, rounds: int | None, minutes: float | None) -> Effort:
    effort = QUICK if quick else Effort()
    if rounds:
        total = effort.kills * effort.rounds
        effort = dataclasses.replace(effort, rounds=rounds, kills=math.ceil(total / rounds))
    if kills:
        effort = dataclasses.replace(effort, kills=math.ceil(kills / effort.rounds))
    return dataclasses.replace(effort, busy_minutes=minutes) if minutes else effort


def _stop(number: int, _: object) -> None:
    print(f"bench-loopback: {signal.Signals(number).name}", file=sys.stderr)
    raise KeyboardInterrupt


def main() -> None:
    """The command; errors for people instead of tracebacks."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
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
