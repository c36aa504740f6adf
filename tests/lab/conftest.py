"""What the lab's four hosts run in this session of tests."""

import pytest

from tests.ansible.playbook import play


class Deployed:
    """Spares a deploy that would change nothing: of the same tree, under the same policy, in the same session."""

    def __init__(self) -> None:
        self.policy = ""  # empty: not known

    def under(self, policy: str) -> None:
        """Deploys unless that was done already."""
        if policy == self.policy:
            return
        self.policy = ""
        outcome = play("deploy.yml", "-e", f"router_policy={policy}")
        assert outcome.status == 0, outcome.output
        self.policy = policy


@pytest.fixture(scope="session")
def deployed_on_the_lab() -> Deployed:
    return Deployed()
