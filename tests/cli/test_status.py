"""`sns status` shows every process, and fails with a sentence when something is not well."""

import json
from collections.abc import Callable

from click.testing import Result

from tests.cli.conftest import Service

Sns = Callable[..., Result]


def test_healthy_service(service: Service, sns: Sns) -> None:
    sns("login", "ada")
    result = sns("status")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.split() for line in result.output.splitlines()]
    assert [line[1] for line in lines[1:]] == ["router", "master", "slave", "master", "slave", "master", "slave"]
    assert lines[2][:6] == ["h1", "master", "4000", "1", "leads", "1"]
    assert lines[4][:6] == ["h2", "master", "4000", "1", "stands", "by"]
    assert max(len(line) for line in result.output.splitlines()) <= 80


def test_json_holds_everything(service: Service, sns: Sns) -> None:
    found = json.loads(sns("status", "--json").output)
    assert (found["leader"], found["term"], found["troubles"]) == ("h1", 1, [])
    assert [m["role"] for m in found["masters"]] == ["leader", "follower", "follower"]
    assert [s["restarts"] for s in found["slaves"]] == [2, 2, 2]


def test_dead_processes_are_listed_with_the_reason(service: Service, sns: Sns) -> None:
    service.do(service.cluster.masters[2].kill())
    service.do(service.cluster.slaves[1].kill())
    service.cluster.masters[1].refusing = "its disk is full"
    result = sns("status")
    assert result.exit_code == 3
    assert result.stdout.count("no answer") == 2
    assert "refuses" in result.stdout
    assert result.stderr == (
        "sns: not well: the master h2 does not serve: its disk is full; the master h3 does not answer: nothing listens"
        " there; the slave h2 does not answer: nothing listens there\n"
    )


def test_no_leader_is_not_well(service: Service, sns: Sns) -> None:
    service.do(service.cluster.masters[0].kill())
    result = sns("status")
    assert result.exit_code == 3
    assert "no master leads: writes wait" in result.stderr
