"""`python -m chaos.traffic writer|follower ...`: one client process."""

import sys
from collections.abc import Callable
from pathlib import Path

import click
import uvloop

from chaos.history import Recorder
from chaos.traffic.follower import follow
from chaos.traffic.orders import Abandoned, Orders
from chaos.traffic.writer import Pace, write
from tinysns.client import SnsError


@click.group()
def main() -> None:
    """One client of a chaos run; started by it, not by hand."""


@main.command()
@click.option("--router", "routers", multiple=True, required=True)
@click.option("--run", required=True)
@click.option("--author", required=True)
@click.option("--history", type=click.Path(path_type=Path), required=True)
@click.option("--every-ms", type=float, required=True)
@click.option("--window", type=int, required=True)
def writer(routers: tuple[str, ...], run: str, author: str, history: Path, every_ms: float, window: int) -> None:
    recorder = Recorder(history)
    recorder.write("writer", run=run, author=author)
    _finish(lambda: uvloop.run(write(routers, run, author, Pace(every_ms, window), recorder, Orders())), recorder)


@main.command()
@click.option("--router", "routers", multiple=True, required=True)
@click.option("--user", required=True)
@click.option("--author", "authors", multiple=True, required=True)
@click.option("--only", multiple=True)
@click.option("--history", type=click.Path(path_type=Path), required=True)
def follower(
    routers: tuple[str, ...], user: str, authors: tuple[str, ...], only: tuple[str, ...], history: Path
) -> None:
    recorder = Recorder(history)
    recorder.write("follower", user=user)
    _finish(lambda: uvloop.run(follow(routers, user, authors, recorder, Orders(), only)), recorder)


def _finish(work: Callable[[], None], recorder: Recorder) -> None:
    """Writes the end down: without trouble, or with the sentence that says why it is early."""
    try:
        work()
    except (SnsError, Abandoned) as e:
        recorder.write("end", trouble=str(e))
        sys.exit(str(e))
    recorder.write("end", trouble="")


if __name__ == "__main__":
    main()
