"""Deploying on four hosts: from nothing, again without a change, after a change by hand, and after a lost disk.

Everything that the usual lab's service holds is lost by the first of these tests.
"""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.ansible.playbook import REPOSITORY, Outcome, play
from tests.lab.conftest import Deployed

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]

UNIT = "/etc/systemd/system/tinysns-slave.service"


def on_host(host: str, command: str) -> str:
    """What the command prints; it must succeed."""
    ssh = [str(REPOSITORY / "lab" / "hosts"), "ssh", host, command]
    done = subprocess.run(ssh, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{host}: {command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


def deploy(*arguments: str) -> Outcome:
    return play("deploy.yml", *arguments)


def main_pids(unit: str, hosts: str = "1234") -> list[str]:
    return [on_host(f"h{n}", f"systemctl show --value -p MainPID {unit}") for n in hosts]


@pytest.fixture(scope="module", autouse=True)
def _fresh(request: pytest.FixtureRequest, deployed_on_the_lab: Deployed) -> Iterator[None]:
    """The service, deployed from nothing."""
    deployed_on_the_lab.policy, failed_before = "", request.session.testsfailed
    subprocess.run([REPOSITORY / "lab" / "hosts", "up"], stdin=subprocess.DEVNULL, timeout=600, check=True)
    subprocess.run([sys.executable, REPOSITORY / "scripts" / "build_release"], timeout=600, check=True)
    destroyed = play("playbooks/destroy.yml", "-e", "destroy_confirm=yes")
    assert destroyed.status == 0, destroyed.output
    outcome = deploy()
    assert outcome.status == 0, outcome.output
    yield
    if request.session.testsfailed == failed_before:
        deployed_on_the_lab.policy = "available"


def test_a_fresh_deploy_ends_with_a_service_that_answers() -> None:
    assert on_host("h4", "sns login deployed") == "Login Successful!"


def test_a_second_deploy_changes_nothing() -> None:
    before = main_pids("tinysns-slave")
    outcome = deploy("--diff")
    assert outcome.status == 0, outcome.output
    assert outcome.changed == {}
    assert main_pids("tinysns-slave") == before


@pytest.fixture(scope="module")
def unit_as_deployed() -> str:
    """That of h3, which then was edited by hand; and a deploy of h2 was interrupted before the restart."""
    was = on_host("h3", f"cat {UNIT}")
    on_host("h3", f"sudo sed -i s/WatchdogSec=5/WatchdogSec=50/ {UNIT}")
    on_host("h2", "sudo touch /etc/tinysns/slave.toml")  # written, and not read since
    return was


def test_a_dry_run_reports_the_edit_and_changes_nothing(unit_as_deployed: str) -> None:
    before = main_pids("tinysns-slave")
    outcome = deploy("--check", "--diff")
    assert outcome.status == 0, outcome.output
    assert outcome.changed == {"h3": 1}  # the file; of restarts it does not speak
    assert "-WatchdogSec=50" in outcome.output
    assert on_host("h3", f"cat {UNIT}") != unit_as_deployed
    assert main_pids("tinysns-slave") == before


def test_an_edit_by_hand_is_repaired_and_an_interrupted_deploy_is_finished(unit_as_deployed: str) -> None:
    before = main_pids("tinysns-slave")
    outcome = deploy("--diff")
    assert outcome.status == 0, outcome.output
    assert outcome.changed == {"h3": 2, "h2": 1}  # the file, and the restarts
    assert "-WatchdogSec=50" in outcome.output
    assert on_host("h3", f"cat {UNIT}") == unit_as_deployed
    changed = [old != new for old, new in zip(before, main_pids("tinysns-slave"), strict=True)]
    assert changed == [False, True, True, False]


def test_another_number_of_masters_is_refused_before_anything_is_changed() -> None:
    before = main_pids("tinysns-slave")
    outcome = deploy("-i", "inventory/lab-three.yml")
    assert outcome.status != 0
    assert "founded with the masters h1=1,h2=2,h3=3,h4=4, and the inventory now has h1=1,h2=2,h3=3:" in outcome.prose
    assert outcome.changed == {}
    assert main_pids("tinysns-slave") == before


@pytest.fixture
def lost_disk() -> Iterator[str]:
    """h4 with an empty data directory, until the test ends."""
    on_host("h4", "sudo systemctl stop tinysns-slave && sudo mv /srv/data/tinysns /srv/data/kept")
    yield "h4"
    on_host("h4", "sudo rm -rf /srv/data/tinysns && sudo mv /srv/data/kept /srv/data/tinysns")
    on_host("h4", "sudo systemctl start tinysns-slave")
    on_host("h2", "until sns status > /dev/null; do sleep 0.2; done")  # sns says whether all is well


def test_a_lost_disk_is_not_founded_again(lost_disk: str) -> None:
    before = main_pids("tinysns-slave", "123")
    outcome = deploy()
    assert outcome.status != 0
    assert "A lost disk is never founded again" in outcome.prose
    assert "h3 founded" in outcome.prose
    assert f"{lost_disk} empty" in outcome.prose
    assert on_host(lost_disk, "systemctl is-active tinysns-slave || true") == "inactive"
    assert main_pids("tinysns-slave", "123") == before
