"""Deputy routers in `sns status`: one quiet word beside their slave, and a sentence when one is missing."""

import dataclasses

import pytest

from tinysns.cli import status_table
from tinysns.client.status import ClusterStatus, KnownMaster, MasterState, RouterState, SlaveState

HOSTS = ("h1", "h2", "h3")
ADDRESSES = {name: f"10.0.0.{i}" for i, name in enumerate(HOSTS, start=1)}
KNOWN = tuple(KnownMaster(f"{ADDRESSES[name]}:3011", name, True) for name in HOSTS)


def routing(name: str) -> RouterState:
    return RouterState(f"{ADDRESSES[name]}:3010", name=name, pid=3000, masters=KNOWN)


def healthy() -> ClusterStatus:
    """The router on h1, deputies on the others."""
    return ClusterStatus(
        routers=(routing("h1"),),
        deputies=(routing("h2"), routing("h3")),
        masters=tuple(
            MasterState(m.address, name=m.name, serving=True, role="leader" if m.name == "h1" else "follower")
            for m in KNOWN
        ),
        slaves=tuple(SlaveState(f"{ADDRESSES[name]}:3012", name=name, state="serving") for name in HOSTS),
    )


def without(name: str) -> ClusterStatus:
    """The same, but nobody has this host's router port."""
    silent = RouterState(f"{ADDRESSES[name]}:3010", unreachable="nothing listens there")
    status = healthy()
    return dataclasses.replace(
        status,
        routers=tuple(silent if r.name == name else r for r in status.routers),
        deputies=tuple(silent if d.name == name else d for d in status.deputies),
    )


def slave_lines(status: ClusterStatus, capsys: pytest.CaptureFixture[str]) -> list[str]:
    status_table.show(status, as_json=False)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    return [" ".join(row[3:-1]) for row in rows if row[1] == "slave"]


def test_a_deputy_is_a_word_beside_its_slave(capsys: pytest.CaptureFixture[str]) -> None:
    assert slave_lines(healthy(), capsys) == ["watches", "watches, deputy", "watches, deputy"]
    assert healthy().troubles() == ()


def test_a_deputy_that_does_not_answer_is_seen_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    status = without("h3")
    assert slave_lines(status, capsys) == ["watches", "watches, deputy", "watches, no deputy"]
    assert status.troubles() == ("the deputy router 10.0.0.3:3010 does not answer: nothing listens there",)


def test_the_router_is_not_one_of_the_deputies(capsys: pytest.CaptureFixture[str]) -> None:
    status = without("h1")
    assert slave_lines(status, capsys) == ["watches", "watches, deputy", "watches, deputy"]
    assert status.troubles() == ("the router 10.0.0.1:3010 does not answer: nothing listens there",)


def test_a_router_that_has_lost_sight_of_a_master_is_named() -> None:
    status = healthy()
    blind = dataclasses.replace(
        status.deputies[0], masters=(*KNOWN[:2], dataclasses.replace(KNOWN[2], connected=False))
    )
    status = dataclasses.replace(status, deputies=(blind, status.deputies[1]))
    assert status.troubles() == ("the deputy router 10.0.0.2:3010 has no connection to the master h3",)
