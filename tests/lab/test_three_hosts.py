"""The three-machine variant, in a lab of its own beside the usual one: it is deployed, and passes the same kill run.

Both labs use the same addresses: each has networks of its own, which nothing else on this machine sees.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ansible.playbook import play
from tests.lab import second

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]

INVENTORY = "inventory/lab-three.yml"
ENVIRONMENT = second.environment("labthree", LAB_DATA_MB="512")
HOSTS = ("h1", "h2", "h3")
KILL_RUN = ("--windows", "6", "--window-seconds", "8", "--seed", "3", "--writers", "2", "--followers", "2")
HOWEVER_SLOW = ("--recover-seconds", "120")  # whether it comes back is judged, not how fast this machine is


def good(*arguments: str) -> str:
    """What lab/hosts prints when it succeeds, which it must."""
    done = second.hosts(ENVIRONMENT, *arguments)
    assert done.returncode == 0, f"lab/hosts {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def _deployed() -> Iterator[None]:
    second.hosts(ENVIRONMENT, "purge")  # of a run that was killed
    try:
        good("up", "--hosts", "3")
        outcome = play("deploy.yml", "-i", INVENTORY, environment=ENVIRONMENT)
        assert outcome.status == 0, outcome.output
        yield
    finally:
        good("purge")


def running(host: str) -> list[str]:
    """The service's processes there, by their modules."""
    listed = good("ssh", host, "ps -u tinysns -o args=").splitlines()
    return sorted(line.partition(" -m ")[2].split()[0] for line in listed)


def test_it_is_one_router_three_masters_and_three_slaves() -> None:
    assert running("h1") == ["tinysns.master", "tinysns.router", "tinysns.slave"]
    assert running("h2") == running("h3") == ["tinysns.master", "tinysns.slave"]
    status = json.loads(good("ssh", "h3", "sns status --json"))
    assert [(master["name"], master["serving"]) for master in status["masters"]] == [(host, True) for host in HOSTS]


def test_it_does_not_become_one_of_four_masters() -> None:
    def untouched() -> list[str]:
        look = "cat /etc/tinysns/*.toml; systemctl show -P MainPID tinysns-slave; ls -A /srv/data"
        return [good("ssh", host, look) for host in HOSTS]

    before = untouched()
    good("up", "--hosts", "4")
    try:
        outcome = play("deploy.yml", "-i", "inventory/lab.yml", environment=ENVIRONMENT)
    finally:
        good("up", "--hosts", "3")
    assert outcome.status != 0
    assert "was founded with the masters h1=1,h2=2,h3=3, and the inventory now has h1=1,h2=2,h3=3,h4=4" in outcome.prose
    assert "playbooks/destroy.yml" in outcome.prose
    assert not outcome.changed
    assert untouched() == before


def test_the_same_kill_run_passes(tmp_path: Path) -> None:
    chaos = str(Path(sys.executable).with_name("sns-chaos"))
    done = second.hosts(
        ENVIRONMENT, "exec", chaos, "run", "-i", INVENTORY, *KILL_RUN, *HOWEVER_SLOW, "-o", str(tmp_path)
    )
    report = tmp_path / "latest/report.json"
    reasons = json.loads(report.read_text())["reasons"]
    slow = [reason for reason in reasons if "acknowledged posts/s" in reason]  # on a busy machine: no verdict
    assert reasons == slow, done.stdout + done.stderr
    assert done.returncode == (3 if slow else 0), done.stdout + done.stderr
