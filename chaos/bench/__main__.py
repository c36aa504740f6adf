"""`python -m chaos.bench`: measures, prints, writes build/bench/<measure>.json and summary.json."""

import sys
from collections.abc import Callable
from pathlib import Path

import click

from chaos.bench.deploys import deploy_fresh, deploy_second
from chaos.bench.kills import kill_gap
from chaos.bench.latency import post_to_follower
from chaos.bench.measure import Measure
from chaos.bench.memory import idle_master
from chaos.bench.newcomers import new_client
from chaos.bench.spread import balanced_spread
from chaos.bench.summary import write_summary
from chaos.bench.throughput import posts_per_second
from chaos.cluster import look
from chaos.errors import CannotRun
from chaos.inventory import DEFAULT_INVENTORY, Inventory, read_inventory
from tinysns.client import SnsError

Bench = Callable[[Inventory, Path, Callable[[str], None]], list[Measure]]

# Memory first, while nothing has happened yet in this run.
BENCHES: dict[str, Bench] = {
    "idle_master_mib": idle_master,
    "post_to_follower": post_to_follower,
    "posts_per_second": posts_per_second,
    "new_client_without_router": new_client,
    "available_kill_write_gap": kill_gap,
    "balanced_spread": balanced_spread,
    "deploy_second": deploy_second,
    "deploy_fresh": deploy_fresh,
}
# One needs another routing policy than the usual one, the other hosts on which nothing was ever deployed.
_ONLY_WHEN_ASKED = {"balanced_spread", "deploy_fresh"}


@click.command()
@click.option("-i", "--inventory", type=click.Path(path_type=Path), default=DEFAULT_INVENTORY, show_default=True)
@click.option("--only", type=click.Choice(list(BENCHES)), multiple=True, help="may be given several times")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("build/bench"), show_default=True)
def bench(inventory: Path, only: tuple[str, ...], output: Path) -> None:
    """Measures a deployed cluster."""
    hosts = read_inventory(inventory)
    if only != ("deploy_fresh",) and (ailments := look(hosts).ailments()):
        raise CannotRun(
            f"the cluster of {inventory} is not there or not healthy: {ailments[0]};"
            " on the lab: lab/hosts up, ansible-playbook deploy.yml, lab/hosts exec .venv/bin/python -m chaos.bench"
        )
    measures = []
    for name in only or (name for name in BENCHES if name not in _ONLY_WHEN_ASKED):
        for measure in BENCHES[name](hosts, output, click.echo):
            click.echo(measure.write(output))
            measures.append(measure)
    write_summary(output, (), measures)


def main() -> None:
    """The command; errors for people instead of tracebacks."""
    try:
        bench.main(standalone_mode=False)
    except (CannotRun, SnsError) as e:
        sys.exit(f"bench: {e}")
    except click.ClickException as e:
        e.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit("bench: interrupted")


if __name__ == "__main__":
    main()
