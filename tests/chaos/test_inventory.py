"""The inventory is read by Ansible itself, templates and defaults included."""

from pathlib import Path

import pytest

from chaos.errors import CannotRun
from chaos.inventory import read_inventory

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(("name", "nodes"), [("lab.yml", (1, 2, 3, 4)), ("lab-three.yml", (1, 2, 3))])
def test_the_lab_has_its_hosts_in_the_order_of_their_node_ids(name: str, nodes: tuple[int, ...]) -> None:
    inventory = read_inventory(ROOT / "inventory" / name)
    assert [(host.name, host.rank, host.master) for host in inventory.masters] == [
        (f"h{n}", n, f"10.67.0.1{n}:3011") for n in nodes
    ]
    assert inventory.router_addresses == tuple(f"10.67.0.1{n}:3010" for n in nodes)
    assert inventory.host("h1").service_user == "tinysns"


@pytest.mark.parametrize(
    ("environment", "ssh_config"),
    [
        ({}, "/var/lib/tinysns-lab/ssh_config"),
        ({"LAB_PREFIX": "other"}, "/var/lib/other/ssh_config"),
        ({"LAB_PREFIX": "other", "LAB_STATE": "/srv/lab"}, "/srv/lab/ssh_config"),
    ],
    ids=["the usual lab", "a second lab", "a second lab in a folder of its own"],
)
def test_the_same_variables_name_another_lab_here_as_for_the_lab_itself(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], ssh_config: str
) -> None:
    for name in ("LAB_PREFIX", "LAB_STATE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert read_inventory(ROOT / "inventory/lab-three.yml").host("h1").ssh_config == ssh_config


def test_the_service_network_defaults_to_the_one_of_ansible(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text("[masters]\na ansible_host=10.0.0.1\nb ansible_host=10.0.0.2\n[router]\nb\n")
    inventory = read_inventory(tmp_path / "hosts.ini")
    assert [host.master for host in inventory.masters] == ["10.0.0.1:3011", "10.0.0.2:3011"]
    assert inventory.router_addresses == ("10.0.0.2:3010", "10.0.0.1:3010")  # the router's first, then its deputy


@pytest.mark.parametrize(("content", "sentence"), [("[masters]\na\n", "both groups"), ("all: [", "cannot")])
def test_a_wrong_inventory_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "hosts.ini").write_text(content)
    with pytest.raises(CannotRun, match=sentence):
        read_inventory(tmp_path / "hosts.ini")


def test_a_missing_inventory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="there is no inventory"):
        read_inventory(tmp_path / "nowhere.yml")
