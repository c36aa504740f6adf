"""A mistake in the inventory or the settings is one clear sentence, before any host is touched."""

from pathlib import Path

import pytest
import yaml

from tests.ansible.playbook import REPOSITORY, Outcome, play

ADDRESSES = {"a": "192.0.2.1", "b": "192.0.2.2", "c": "192.0.2.3", "d": "192.0.2.4", "e": "192.0.2.5"}


def inventory(
    folder: Path,
    router: str = "a",
    masters: str = "abcd",
    slaves: str | None = None,
    addresses: dict[str, str] = ADDRESSES,
) -> Path:
    """An inventory whose hosts have names of one letter, with this project's group_vars beside it."""
    groups = {"router": router, "masters": masters, "slaves": masters if slaves is None else slaves}
    content = {
        "all": {
            "hosts": {host: {"ansible_host": addresses[host]} for host in addresses},
            "children": {group: {"hosts": {host: {} for host in hosts}} for group, hosts in groups.items()},
        }
    }
    (folder / "group_vars").symlink_to(REPOSITORY / "inventory" / "group_vars")
    path = folder / "hosts.yml"
    path.write_text(yaml.safe_dump(content))
    return path


def preflight(path: Path, *arguments: str) -> Outcome:
    return play("playbooks/preflight.yml", "-i", str(path), *arguments)


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ({"router": ""}, "The inventory needs one host in the group `router`; it has none."),
        ({"router": "ab"}, "The inventory needs one host in the group `router`; it has a, b."),
        ({"masters": "ab"}, "needs three or four hosts in the group `masters`; it has a, b."),
        ({"masters": "abcde"}, "needs three or four hosts in the group `masters`; it has a, b, c, d, e."),
        ({"slaves": "abc"}, "must hold the same hosts, since every master has a slave; these are in one only: d."),
        ({"addresses": ADDRESSES | {"b": "192.0.2.1"}}, "Two hosts of the inventory have the same service_ip"),
        ({"addresses": ADDRESSES | {"b": "beta.example"}}, "must be a literal IPv4 address, and is not for b."),
    ],
    ids=["no router", "two routers", "two masters", "five masters", "a master without slave", "same address", "a name"],
)
def test_a_wrong_inventory_is_refused(tmp_path: Path, mistake: dict[str, object], sentence: str) -> None:
    outcome = preflight(inventory(tmp_path, **mistake))  # type: ignore[arg-type]
    assert outcome.status != 0
    assert sentence in outcome.prose
    assert outcome.hosts == {"localhost"}


def test_an_inventory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    outcome = preflight(tmp_path / "nothing.yml")
    assert outcome.status != 0
    assert "no group_vars/ beside this inventory" in outcome.prose


def test_a_limit_is_refused(tmp_path: Path) -> None:
    outcome = preflight(inventory(tmp_path), "--limit", "localhost,a")
    assert outcome.status != 0
    assert "Run this without --limit" in outcome.prose


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("slave_restart_delay_seconds=26", "slave_restart_delay_seconds is 26; it must lie between 0 and 25"),
        ("slave_restart_delay_seconds=-1", "slave_restart_delay_seconds is -1; it must lie between 0 and 25"),
        ("router_policy=random", "router_policy is 'random'; it must be available or balanced."),
        ("router_course_clients=relay", "router_course_clients is 'relay'; it must be proxy or master."),
        ("router_hold_seconds=0", "router_hold_seconds is 0; it must be more than 0."),
    ],
)
def test_a_setting_that_cannot_work_is_refused(tmp_path: Path, setting: str, sentence: str) -> None:
    outcome = preflight(inventory(tmp_path), "-e", setting)
    assert outcome.status != 0
    assert sentence in outcome.prose
    assert "UNREACHABLE" not in outcome.output  # said before any host was asked


def test_a_host_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    addresses = {host: f"127.0.0.{n}" for n, host in enumerate(ADDRESSES, 1)}
    outcome = preflight(inventory(tmp_path, addresses=addresses), "-e", "ansible_port=1")
    assert outcome.status != 0
    assert "a (127.0.0.1) cannot be reached over SSH:" in outcome.prose
    assert not outcome.changed


def test_destroy_asks_first(tmp_path: Path) -> None:
    outcome = play("playbooks/destroy.yml", "-i", str(inventory(tmp_path)))
    assert outcome.status != 0
    assert "Say -e destroy_confirm=yes if you mean it." in outcome.prose
