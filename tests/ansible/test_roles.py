"""Every role says what it takes, and every playbook and inventory can be read."""

from pathlib import Path

import pytest
import yaml

from tests.ansible.playbook import REPOSITORY, play

ROLES = sorted((REPOSITORY / "roles").iterdir())
PLAYBOOKS = [REPOSITORY / "deploy.yml", *sorted((REPOSITORY / "playbooks").glob("*.yml"))]
# Of inventory/group_vars/all/cluster.yml, and of the router, whose settings hold for all deputies.
SHARED = ("tinysns_", "release_", "router_", "master_port", "master_peer_port", "slave_port")


def options(role: Path) -> dict[str, dict[str, object]]:
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())
    found: dict[str, dict[str, object]] = specs["argument_specs"]["main"]["options"]
    return found


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_role_declares_its_arguments(role: Path) -> None:
    declared, defaults = options(role), yaml.safe_load((role / "defaults" / "main.yml").read_text())
    assert defaults.keys() <= declared.keys()
    assert all(option.get("description") for option in declared.values())
    for name, option in declared.items():
        assert name.startswith((f"{role.name}_", *SHARED)), f"{name} of {role.name} does not say whose it is"
        if "default" in option:
            assert option["default"] == defaults[name], f"{name}: argument_specs and defaults differ"


def test_playbooks_have_no_syntax_error() -> None:
    inventories = [f"-i{path}" for path in (REPOSITORY / "inventory").glob("*.yml")]
    outcome = play("--syntax-check", *map(str, PLAYBOOKS), *inventories)
    assert outcome.status == 0, outcome.output
