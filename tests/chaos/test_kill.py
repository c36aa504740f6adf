"""Kills hit the right process and nothing else, and count as proved only with a successor."""

import dataclasses
import getpass
import subprocess
import sys
from collections.abc import Iterator
from typing import cast

import pytest

from chaos.cluster import ClusterView, MasterView, RouterView, SlaveView
from chaos.faults import FAULTS, NotNow, Process
from chaos.hosts import RemoteError, Remotes
from chaos.inventory import Host

HOSTS = [
    Host(f"h{n}", frozenset({"masters"}), n, "", 22, "", "", "", f"10.0.0.{n}", 3011, 3012, 3010, getpass.getuser())
    for n in (1, 2, 3, 4)
]


def cluster(leader: int = 2, term: int = 5) -> ClusterView:
    """Four hosts, all well."""
    masters = tuple(
        MasterView(host, 100 + n, 7, serving=True, leads=n == leader, leader=leader, term=term, trouble="")
        for n, host in enumerate(HOSTS, 1)
    )
    slaves = tuple(SlaveView(m.host, m.pid + 100, "serving", m.pid, m.incarnation) for m in masters)
    routers = tuple(RouterView(host, 300 + n, frozenset(h.master for h in HOSTS)) for n, host in enumerate(HOSTS))
    return ClusterView(masters, slaves, routers[:1], routers[1:])


class Here:
    """Stands for the connections to all hosts: commands run on this machine, without sudo."""

    def __init__(self, main_pid: int = 0) -> None:
        self.host, self._main_pid = HOSTS[0], main_pid

    def __getitem__(self, name: str) -> "Here":
        return self

    def run(self, command: str) -> str:
        if command.startswith("systemctl show"):
            return f"{self._main_pid}\n"
        done = subprocess.run(command.removeprefix("sudo -n "), shell=True, capture_output=True, text=True)
        if done.returncode:
            raise RemoteError("here", command, done.returncode, done.stderr)
        return done.stdout


def here(main_pid: int = 0) -> Remotes:
    return cast(Remotes, Here(main_pid))


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A process whose command line looks like a router's."""
    code = "import signal; signal.pause()"
    process = subprocess.Popen((sys.executable, "-c", code, "-m", "tinysns.router", "x.toml"))
    yield process
    process.kill()
    process.wait()


def test_a_healthy_cluster_has_no_ailments() -> None:
    assert cluster().ailments() == []


def test_a_deputy_router_that_is_missing_or_blind_is_an_ailment() -> None:
    well = cluster()
    silent = dataclasses.replace(well, deputies=(RouterView(HOSTS[1]), *well.deputies[1:]))
    assert silent.ailments() == ["the deputy router of h2 does not answer"]
    blind = dataclasses.replace(well, deputies=(RouterView(HOSTS[1], 301, frozenset({HOSTS[0].master})),))
    assert blind.ailments() == ["the deputy router of h2 does not see the masters of h2, h3, h4"]


def test_each_target_is_who_it_says() -> None:
    assert FAULTS["kill", "available"].choose(cluster(), 0.9).host == "h2"
    assert {FAULTS["kill", "standby"].choose(cluster(), choice / 10).host for choice in range(10)} == {"h1", "h3", "h4"}
    assert {FAULTS["kill", "slave"].choose(cluster(), choice / 10).host for choice in range(10)} == {
        "h1", "h2", "h3", "h4",
    }  # fmt: skip
    assert FAULTS["kill", "router"].choose(cluster(), 0.5).before.pid == 300


def test_without_a_leader_nobody_is_killed() -> None:
    with pytest.raises(NotNow, match="no master leads"):
        FAULTS["kill", "available"].choose(cluster(leader=9), 0.0)


def test_the_kill_kills_and_says_when(sleeper: "subprocess.Popen[bytes]") -> None:
    fault = FAULTS["kill", "router"]
    victim = dataclasses.replace(fault.choose(cluster(), 0.0), before=Process(sleeper.pid))
    injection = fault.inject(here(sleeper.pid), victim)
    assert sleeper.wait(60) == -9
    assert injection.asked_ns < injection.done_ns
    assert float(injection.host_clock) > 1e9


def test_a_process_of_another_kind_is_not_killed(sleeper: "subprocess.Popen[bytes]") -> None:
    fault = FAULTS["kill", "available"]
    victim = dataclasses.replace(fault.choose(cluster(), 0.0), before=Process(sleeper.pid, 1, 1))
    with pytest.raises(RemoteError, match=r"is not tinysns\.master"):
        fault.inject(here(), victim)
    assert sleeper.poll() is None


def test_a_process_of_another_user_is_not_killed(sleeper: "subprocess.Popen[bytes]") -> None:
    fault, remotes = FAULTS["kill", "router"], Here(sleeper.pid)
    remotes.host = dataclasses.replace(HOSTS[0], service_user="somebody")
    victim = dataclasses.replace(fault.choose(cluster(), 0.0), before=Process(sleeper.pid))
    with pytest.raises(RemoteError, match="does not belong to somebody"):
        fault.inject(cast(Remotes, remotes), victim)
    assert sleeper.poll() is None


def test_a_pid_that_systemd_does_not_know_is_not_killed(sleeper: "subprocess.Popen[bytes]") -> None:
    fault = FAULTS["kill", "router"]
    victim = dataclasses.replace(fault.choose(cluster(), 0.0), before=Process(sleeper.pid))
    with pytest.raises(NotNow, match="systemd says 1"):
        fault.inject(here(1), victim)
    assert sleeper.poll() is None


def restarted(view: ClusterView, host: str, **change: int) -> ClusterView:
    """The same cluster after its master there has changed."""
    masters = tuple(
        dataclasses.replace(m, **change) if m.host.name == host else m  # type: ignore[arg-type]
        for m in view.masters
    )
    slaves = tuple(
        dataclasses.replace(s, master_pid=m.pid, master_incarnation=m.incarnation)
        for s, m in zip(view.slaves, masters, strict=True)
    )
    return dataclasses.replace(view, masters=masters, slaves=slaves)


def test_a_killed_master_is_back_only_with_new_pid_incarnation_and_term() -> None:
    fault, before = FAULTS["kill", "available"], cluster()
    victim = fault.choose(before, 0.0)
    assert fault.missing(before, victim) == "the master of h2 is not back"
    assert "incarnation" in fault.missing(restarted(before, "h2", pid=999), victim)
    assert "higher term" in fault.missing(restarted(before, "h2", pid=999, incarnation=8), victim)
    assert fault.missing(restarted(cluster(leader=3, term=6), "h2", pid=999, incarnation=8), victim) == ""


def test_the_death_of_a_slave_must_not_touch_its_master() -> None:
    fault, before = FAULTS["kill", "slave"], cluster()
    victim = fault.choose(before, 0.3)
    assert fault.harm(before, victim) == ""
    assert "did not outlive its slave" in fault.harm(restarted(before, "h2", pid=999, incarnation=8), victim)
