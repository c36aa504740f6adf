"""`sns status` as a table for people or as JSON for programs."""

import dataclasses
import json
import sys
import time

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tinysns.client.status import ClusterStatus, MasterState, RouterState, SlaveState

_COLUMNS = ("host", "process", "pid", "inc", "state", "term", "commit", "applied", "restarts", "up")
_RIGHT = ("pid", "inc", "term", "commit", "applied", "restarts", "up")


def show(status: ClusterStatus, as_json: bool) -> None:
    if as_json:
        leader = status.leader
        click.echo(
            json.dumps({
                "leader": leader.name if leader else None,
                "term": leader.term if leader else None,
                "troubles": status.troubles(),
                **dataclasses.asdict(status),
            })
        )  # fmt: skip
        return
    # Into a pipe nothing may be cut off, whatever width the terminal of the caller has.
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(_table(status))


def _table(status: ClusterStatus) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), collapse_padding=True)
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name in _RIGHT else "left", no_wrap=True, header_style="bold")
    hosts = {m.address.rpartition(":")[0]: m.name for m in status.masters}
    for router in status.routers:
        host = router.address.rpartition(":")[0]
        table.add_row(*_router(router, hosts.get(host, host)))
    for master, slave in zip(status.masters, status.slaves, strict=True):
        table.add_row(*_master(master, slave, master is status.leader))
        table.add_row(*_slave(slave, status.deputy_of(slave)))
    return table


def _router(router: RouterState, host: str) -> tuple[str | Text, ...]:
    if router.unreachable:
        return host, "router", "", "", _bad("no answer")
    return host, "router", str(router.pid), "", _good("up"), "", "", "", "", _since(router.started_unix_ns)


def _master(master: MasterState, slave: SlaveState, is_leader: bool) -> tuple[str | Text, ...]:
    restarts = "" if slave.unreachable else str(slave.restarts)
    if master.unreachable:
        return master.name, "master", "", "", _bad("no answer"), "", "", "", restarts
    if not master.serving:
        state = _bad("refuses")
    else:
        state = Text("leads", style="bold green") if is_leader else _good(_standing(master))
    numbers = (master.term, master.commit_index, master.applied_index)
    return (
        master.name, "master", str(master.pid), str(master.incarnation), state, *map(str, numbers), restarts,
        _since(master.started_unix_ns),
    )  # fmt: skip


def _standing(master: MasterState) -> str:
    return "stands by" if master.role in ("follower", "leader") else master.role.replace("_", "-")


def _slave(slave: SlaveState, deputy: RouterState | None) -> tuple[str | Text, ...]:
    if slave.unreachable:
        return slave.name, "slave", "", "", _bad("no answer")
    state = _good("watches") if slave.state == "serving" else _bad(slave.state)
    if deputy is not None:
        state.append(", ").append(_bad("no deputy") if deputy.unreachable else _good("deputy"))
    return slave.name, "slave", str(slave.pid), "", state, "", "", "", "", _since(slave.started_unix_ns)


def _good(word: str) -> Text:
    return Text(word, style="green")


def _bad(word: str) -> Text:
    return Text(word, style="bold red")


def _since(started_unix_ns: int) -> str:
    """How long ago, by this machine's clock, in the two largest units: for display only."""
    seconds = max(0, int(time.time() - started_unix_ns / 1e9))
    for unit, size, lower, lower_size in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if seconds >= size:
            return f"{seconds // size}{unit}{seconds % size // lower_size:02}{lower}"
    return f"{seconds}s"
