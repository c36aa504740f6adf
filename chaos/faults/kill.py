"""SIGKILL of one process: the Available master, a standby, a slave or the router.

The pid comes from the cluster (masters) or from systemd (slave, router). The host itself then checks, in the same
command that kills, that this pid is a process of ours: its command line and its owner. Nothing is healed: coming back
is the service's own task.
"""

import shlex
import time
from dataclasses import dataclass
from enum import StrEnum

from chaos.cluster import ClusterView, MasterView, SlaveView
from chaos.faults.base import Injection, NotNow, Process, Victim
from chaos.hosts import Remotes, first_line
from chaos.inventory import Inventory


class Target(StrEnum):
    """Whom to kill."""

    AVAILABLE = "available"
    STANDBY = "standby"
    SLAVE = "slave"
    ROUTER = "router"


_MODULES = {
    Target.AVAILABLE: "tinysns.master",
    Target.STANDBY: "tinysns.master",
    Target.SLAVE: "tinysns.slave",
    Target.ROUTER: "tinysns.router",
}

# Inside its folder of /proc the checks speak of that very process: should it end meanwhile, they fail.
_KILL = """\
set -eu
cd /proc/{pid}
tr '\\0' ' ' < cmdline | grep -q -- ' -m {module} ' || {{ echo "pid {pid} is not {module}" >&2; exit 3; }}
[ "$(stat -c %U .)" = {user} ] || {{ echo "pid {pid} does not belong to {user}" >&2; exit 3; }}
date +%s.%N
kill -KILL {pid}
"""


@dataclass(frozen=True, slots=True)
class Kill:
    """See the module."""

    target: Target
    kind: str = "kill"

    def available(self, inventory: Inventory) -> str:
        if self.target is Target.STANDBY and len(inventory.masters) < 3:
            return "with fewer than three masters none can be spared"
        return ""

    def choose(self, cluster: ClusterView, choice: float) -> Victim:
        leader = cluster.available
        if leader is None:
            raise NotNow("no master leads")
        match self.target:
            case Target.AVAILABLE:
                return Victim(leader.host.name, _process(leader))
            case Target.STANDBY:
                standbys = [master for master in cluster.masters if master.host != leader.host]
                master = standbys[int(choice * len(standbys)) % len(standbys)]
                return Victim(master.host.name, _process(master))
            case Target.SLAVE:
                slave = cluster.slaves[int(choice * len(cluster.slaves)) % len(cluster.slaves)]
                return Victim(slave.host.name, Process(slave.pid), _process(_master_of(cluster, slave)))
            case Target.ROUTER:
                router = cluster.routers[int(choice * len(cluster.routers)) % len(cluster.routers)]
                return Victim(router.host.name, Process(router.pid))

    def inject(self, remotes: Remotes, victim: Victim) -> Injection:
        remote = remotes[victim.host]
        pid = victim.before.pid
        if self.target in (Target.SLAVE, Target.ROUTER):
            unit_pid = first_line(remote.run(f"systemctl show -P MainPID tinysns-{self.target}"))
            if unit_pid != str(pid):
                raise NotNow(f"the {self.target} of {victim.host} says that its pid is {pid}, systemd says {unit_pid}")
        script = _KILL.format(pid=pid, module=_MODULES[self.target], user=shlex.quote(remote.host.service_user))
        command = f"sudo -n sh -c {shlex.quote(script)}"
        asked_ns = time.monotonic_ns()
        output = remote.run(command)
        return Injection(asked_ns, time.monotonic_ns(), first_line(output), f"kill -KILL {pid}")

    def missing(self, cluster: ClusterView, victim: Victim) -> str:
        after = self.after(cluster, victim)
        who = f"the {_noun(self.target)} of {victim.host}"
        if not after.pid or after.pid == victim.before.pid:
            return f"{who} is not back"
        if self.target in (Target.AVAILABLE, Target.STANDBY) and after.incarnation <= victim.before.incarnation:
            return f"{who} has a new pid but not a higher incarnation than {victim.before.incarnation}"
        if self.target is Target.AVAILABLE and after.term <= victim.before.term:
            return f"the cluster is not in a higher term than {victim.before.term}"
        return "; ".join(cluster.ailments())

    def after(self, cluster: ClusterView, victim: Victim) -> Process:
        if self.target is Target.SLAVE:
            return next((Process(s.pid) for s in cluster.slaves if s.host.name == victim.host), Process())
        if self.target is Target.ROUTER:
            return next((Process(r.pid) for r in cluster.routers if r.host.name == victim.host), Process())
        return next((_process(m) for m in cluster.masters if m.host.name == victim.host), Process())

    def harm(self, cluster: ClusterView, victim: Victim) -> str:
        if self.target is not Target.SLAVE:
            return ""
        master = next((_process(m) for m in cluster.masters if m.host.name == victim.host), Process())
        was = victim.bystander
        if (master.pid, master.incarnation) == (was.pid, was.incarnation):
            return ""
        return (
            f"the master of {victim.host} did not outlive its slave:"
            f" pid {was.pid}, incarnation {was.incarnation} before,"
            f" pid {master.pid}, incarnation {master.incarnation} after"
        )


def _noun(target: Target) -> str:
    return {Target.AVAILABLE: "master", Target.STANDBY: "master"}.get(target, str(target))


def _process(master: MasterView) -> Process:
    return Process(master.pid, master.incarnation, master.term)


def _master_of(cluster: ClusterView, slave: SlaveView) -> MasterView:
    return next(master for master in cluster.masters if master.host == slave.host)
