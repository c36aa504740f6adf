"""Settings files for a cluster on loopback, in the words of the checkout that will read them.

The loaders refuse unknown keys, and the keys change from commit to commit: so each checkout's Python is asked which
fields its settings have, and nothing else is written.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.errors import CannotRun

_ASK_SECONDS = 60
_QUESTION = """
import dataclasses, json
from tinysns.runtime import settings
missing = dataclasses.MISSING
print(json.dumps({
    name: {f.name: f.default is missing and f.default_factory is missing for f in dataclasses.fields(kind)}
    for name, kind in vars(settings).items() if isinstance(kind, type) and dataclasses.is_dataclass(kind)
}))
"""
_BACKUP_ROUTERS = ("backup_router", "backup", "deputy")  # what the table in the slave's file was and will be called

Value = str | int | float | Sequence[str]
Known = Mapping[str, Mapping[str, bool]]  # the fields of each group, and whether they must be given


@dataclass(frozen=True, slots=True)
class HostPorts:
    """Where the processes of one host listen on 127.0.0.1."""

    name: str
    node: int
    master: int
    slave: int
    router: int  # of the router, or of the slave as its backup
    peers: int  # for the other masters, in releases that do not use the master's port for that

    @property
    def router_address(self) -> str:
        return f"127.0.0.1:{self.router}"


def ask_known(python: Path, root: Path) -> Known:
    """Raises CannotRun."""
    try:
        done = subprocess.run((python, "-c", _QUESTION), cwd=root, capture_output=True, text=True, timeout=_ASK_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as e:
        raise CannotRun(f"cannot ask {python} for the settings of {root}: {e}; run scripts/setup there") from e
    if done.returncode:
        raise CannotRun(f"the settings of {root} cannot be read: {done.stderr.strip()[-300:]}")
    known: Known = json.loads(done.stdout)
    return known


def write_all(known: Known, folder: Path, hosts: Sequence[HostPorts], python: Path) -> None:
    """<folder>/<host>/{master,slave}.toml and <folder>/router.toml; the router belongs to the first host."""
    routers = [host.router_address for host in hosts]
    members = "".join(
        "[[members]]\n"
        + _table(
            known,
            "Member",
            {
                "name": host.name,
                "node": host.node,
                "address": f"127.0.0.1:{host.master}",
                "slave": f"127.0.0.1:{host.slave}",
                "peers": f"127.0.0.1:{host.peers}",
            },
        )
        for host in hosts
    )
    for host in hosts:
        place = folder / host.name
        (place / "data").mkdir(parents=True, exist_ok=True)
        (place / "run").mkdir(exist_ok=True)
        common: dict[str, Value] = {"name": host.name, "runtime": str(place / "run"), "routers": routers}
        master = common | {"listen": f"127.0.0.1:{host.master}", "data": str(place / "data"), "reserve_mb": 1}
        (place / "master.toml").write_text(_table(known, "MasterSettings", master, ("members",)) + members)
        command = (str(python), "-m", "tinysns.master", str(place / "master.toml"))
        slave = common | {"listen": f"127.0.0.1:{host.slave}", "master_command": command}
        backup = ""
        if host is not hosts[0]:
            name = next(name for name in _BACKUP_ROUTERS if name in known["SlaveSettings"])
            backup = f"[{name}]\n" + _table(known, "RoutingSettings", {"listen": host.router_address})
        (place / "slave.toml").write_text(_table(known, "SlaveSettings", slave, ("members",)) + members + backup)
    router: dict[str, Value] = {"name": hosts[0].name, "listen": routers[0], "routers": routers}
    (folder / "router.toml").write_text(_table(known, "RouterSettings", router, ("members",)) + members)


def _table(known: Known, group: str, values: Mapping[str, Value], elsewhere: Sequence[str] = ()) -> str:
    """The values that the group knows, as TOML. Raises CannotRun if it wants one that is not here or `elsewhere`."""
    fields = known[group]
    if missing := [name for name, needed in fields.items() if needed and name not in (*values, *elsewhere)]:
        raise CannotRun(f"{group} of that checkout needs {', '.join(missing)}, of which the benchmark knows nothing")
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items() if name in fields)
