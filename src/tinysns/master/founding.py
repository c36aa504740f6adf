"""Founding: how a master comes to be a member, once, and never by accident.

A member that lost its disk must never found again: it may have given a vote that it has forgotten (ARCHITECTURE.md,
rules 7, 13). So founding is an act of deployment in two phases, each on all hosts before the next begins:

    empty --invite(cluster id)--> invited --confirm--> founded

An invited member has written nothing into a log and started nothing, so an interrupted deploy can go on. Once one
host is founded, an *empty* one beside it is a lost disk, and the deploy refuses to go on.

The data directory: cluster.json (this module), incarnation, log/ (raftnode), state/ (storage).
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import raftnode
from pydantic import TypeAdapter, ValidationError

from tinysns.runtime.process import CannotStart
from tinysns.runtime.settings import MasterSettings
from tinysns.storage.disk import replace_durably
from tinysns.storage.layout import database_in_force
from tinysns.storage.schema import StateError
from tinysns.storage.state import StateMachine


@dataclass(frozen=True, slots=True)
class Membership:
    """What a founded member knows for life: cluster.json."""

    cluster_id: str
    node: int
    nodes: tuple[int, ...]


def status(settings: MasterSettings) -> tuple[str, str]:
    """("empty" | "invited" | "founded", cluster id or "")."""
    if (found := _read(settings.data / "cluster.json")) is not None:
        return "founded", str(found["cluster_id"])
    if (found := _read(settings.data / "invitation.json")) is not None:
        return "invited", str(found["cluster_id"])
    return "empty", ""


def invite(settings: MasterSettings, cluster_id: str) -> None:
    """Phase one. Raises CannotStart on a founded member, or one that is invited elsewhere."""
    state, known = status(settings)
    if state == "founded" or (state == "invited" and known != cluster_id):
        raise CannotStart(f"{settings.name} is {state} already, to cluster {known}; its data is in {settings.data}")
    replace_durably(settings.data / "invitation.json", json.dumps({"cluster_id": cluster_id}))


def confirm(settings: MasterSettings) -> None:
    """Phase two. Raises CannotStart unless invited; does nothing on a founded member."""
    state, cluster_id = status(settings)
    if state == "founded":
        return
    if state != "invited":
        raise CannotStart(f"{settings.name} has no invitation in {settings.data}; run ansible-playbook deploy.yml")
    nodes = tuple(m.node for m in settings.members)
    try:
        raftnode.found(str(settings.data / "log"), nodes)
        _make_state(settings, cluster_id)
    except (raftnode.Unusable, raftnode.InUse, StateError) as e:
        raise CannotStart(
            f"the data in {settings.data} cannot be used: {e}; restore cluster.json beside it if this host was founded"
            f" before, else go on with the inventory that was interrupted"
        ) from e
    membership = Membership(cluster_id, settings.node, nodes)
    replace_durably(settings.data / "cluster.json", json.dumps(asdict(membership)))
    (settings.data / "invitation.json").unlink()


def _make_state(settings: MasterSettings, cluster_id: str) -> None:
    folder = settings.data / "state"
    if database_in_force(folder) is None:
        StateMachine.create(folder, cluster_id)
        return
    state = StateMachine.open(folder, cluster_id)  # an interrupted confirmation got this far
    try:
        if state.applied_index > 0:
            raise CannotStart(f"the state in {settings.data} was used already; restore cluster.json beside it")
    finally:
        state.close()


def membership(settings: MasterSettings) -> Membership:
    """Of a founded member. Raises CannotStart if it is not founded, or founded as somebody else."""
    found = _read(settings.data / "cluster.json")
    if found is None:
        raise CannotStart(
            f"{settings.data} holds no founded member: a first deploy founds all hosts together, and a disk that was"
            f" lost is not founded again; run ansible-playbook deploy.yml and read what it says"
        )
    try:
        mine = TypeAdapter(Membership).validate_python(found)
    except ValidationError as e:
        raise CannotStart(f"{settings.data}/cluster.json is damaged; restore it from a backup of this host") from e
    if mine.node != settings.node or set(mine.nodes) != {m.node for m in settings.members}:
        raise CannotStart(
            f"{settings.data} belongs to node {mine.node} of {sorted(mine.nodes)}, but the settings say node"
            f" {settings.node} of {sorted(m.node for m in settings.members)}; was the inventory reordered?"
        )
    return mine


def next_incarnation(data: Path) -> int:
    """Counts the starts of this member, durably: it names this process for as long as the data lives."""
    path = data / "incarnation"
    try:
        incarnation = int(path.read_text()) + 1
    except FileNotFoundError:
        incarnation = 1
    except ValueError as e:
        raise CannotStart(
            f"{path} is damaged; write a number into it that is greater than any incarnation in this host's journal"
        ) from e
    replace_durably(path, f"{incarnation}\n")
    return incarnation


def _read(path: Path) -> dict[str, object] | None:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (ValueError, UnicodeDecodeError) as e:
        raise CannotStart(f"{path} is damaged ({e}); restore it from a backup of this host") from e
    if not isinstance(found, dict):
        raise CannotStart(f"{path} is damaged; restore it from a backup of this host")
    return found
