"""python -m tinysns.master CONFIG serves; ... found --status | --invite ID | --confirm CONFIG founds (founding.py)."""

import json
import sys
from pathlib import Path

import click

from tinysns.master import founding
from tinysns.master.app import Master
from tinysns.runtime.process import EXIT_USAGE, CannotStart, Process, run
from tinysns.runtime.settings import MasterSettings, SettingsError, load

CONFIG = click.argument("config", type=click.Path(path_type=Path))


@click.group()
def main() -> None:
    """The master of one host."""


@main.command()
@CONFIG
def serve(config: Path) -> None:
    """Serve until told to stop."""
    settings = load(config, MasterSettings)

    async def work(process: Process) -> None:
        await Master(settings, process).run()

    sys.exit(run("master", work))


@main.command()
@click.option("--status", is_flag=True, help="print one JSON line: empty, invited or founded")
@click.option("--invite", metavar="CLUSTER_ID", help="phase one: take this host into a cluster to be founded")
@click.option("--confirm", is_flag=True, help="phase two: found")
@CONFIG
def found(status: bool, invite: str | None, confirm: bool, config: Path) -> None:
    """Founding, as deploy.yml does it; see founding.py."""
    settings = load(config, MasterSettings)
    if invite:
        founding.invite(settings, invite)
    if confirm:
        founding.confirm(settings)
    if status or not (invite or confirm):
        state, cluster_id = founding.status(settings)
        print(json.dumps({"state": state, "cluster_id": cluster_id}))


def run_command(arguments: list[str]) -> None:
    """`serve` needs not be said. Ends the process."""
    if arguments and arguments[0] not in ("serve", "found") and not arguments[0].startswith("-"):
        arguments = ["serve", *arguments]
    try:
        main(arguments, prog_name="python -m tinysns.master")
    except (SettingsError, CannotStart) as e:
        print(f"master: {e}", file=sys.stderr)
        sys.exit(EXIT_USAGE)


if __name__ == "__main__":
    run_command(sys.argv[1:])
