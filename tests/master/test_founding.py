"""Founding, interrupted at every step."""

import json
import os
from pathlib import Path

import pytest

from tinysns.master import founding
from tinysns.runtime.process import CannotStart
from tinysns.runtime.settings import MasterSettings, Member
from tinysns.storage.state import StateMachine


def settings(folder: Path, size: int = 3) -> MasterSettings:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    members = tuple(Member(f"h{n}", n, *(f"127.0.0.1:{100 * i + n}" for i in range(3))) for n in range(1, size + 1))
    return MasterSettings(
        name="h1", listen="127.0.0.1:1", data=data, runtime=folder, members=members, routers=("127.0.0.1:9",)
    )


class Interrupted(Exception):
    """A kill at this step."""


def interrupt(*_: object, **__: object) -> None:
    raise Interrupted


def test_a_host_is_empty_then_invited_then_founded(tmp_path: Path) -> None:
    host = settings(tmp_path)
    assert founding.status(host) == ("empty", "")
    founding.invite(host, "c1")
    founding.invite(host, "c1")
    assert founding.status(host) == ("invited", "c1")
    founding.confirm(host)
    founding.confirm(host)
    assert founding.status(host) == ("founded", "c1")
    assert founding.membership(host) == founding.Membership("c1", 1, (1, 2, 3))
    with pytest.raises(CannotStart, match="founded already"):
        founding.invite(host, "c1")


@pytest.mark.parametrize("step", ["create", "replace_durably"])
def test_a_confirmation_that_was_interrupted_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    host = settings(tmp_path)
    founding.invite(host, "c1")
    with monkeypatch.context() as patch:
        patch.setattr(*((StateMachine, step) if step == "create" else (founding, step)), interrupt)
        with pytest.raises(Interrupted):
            founding.confirm(host)
    assert founding.status(host) == ("invited", "c1")
    founding.confirm(host)
    assert founding.status(host) == ("founded", "c1")


def test_an_interrupted_confirmation_does_not_go_on_with_other_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    founding.invite(settings(tmp_path), "c1")
    with monkeypatch.context() as patch:
        patch.setattr(StateMachine, "create", interrupt)
        with pytest.raises(Interrupted):
            founding.confirm(settings(tmp_path))
    with pytest.raises(CannotStart, match=r"voters \[1, 2, 3\]"):
        founding.confirm(settings(tmp_path, size=4))
    founding.confirm(settings(tmp_path))


def test_a_state_with_a_life_is_never_founded_again(tmp_path: Path) -> None:
    """cluster.json was lost, and with it the proof that this host was founded."""
    host = settings(tmp_path)
    founding.invite(host, "c1")
    founding.confirm(host)
    state = StateMachine.open(host.data / "state", "c1")
    state.apply([], 7)
    state.close()
    os.rename(host.data / "cluster.json", host.data / "invitation.json")
    with pytest.raises(CannotStart, match="used"):
        founding.confirm(host)


def test_without_an_invitation_nothing_is_founded(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="no invitation"):
        founding.confirm(settings(tmp_path))
    with pytest.raises(CannotStart, match="no founded member"):
        founding.membership(settings(tmp_path))


def test_another_inventory_is_noticed(tmp_path: Path) -> None:
    founding.invite(settings(tmp_path), "c1")
    founding.confirm(settings(tmp_path))
    with pytest.raises(CannotStart, match="inventory"):
        founding.membership(settings(tmp_path, size=4))


def test_incarnations_grow_and_a_damaged_count_is_said_clearly(tmp_path: Path) -> None:
    assert [founding.next_incarnation(tmp_path) for _ in range(3)] == [1, 2, 3]
    (tmp_path / "incarnation").write_text("")
    with pytest.raises(CannotStart, match="incarnation"):
        founding.next_incarnation(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"cluster_id": "c1"})])
def test_a_damaged_membership_is_said_clearly(tmp_path: Path, content: str) -> None:
    host = settings(tmp_path)
    (host.data / "cluster.json").write_text(content)
    with pytest.raises(CannotStart, match="damaged"):
        founding.membership(host)
