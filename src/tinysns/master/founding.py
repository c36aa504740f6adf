"""Founding: how a master comes to be a member, once, and never by accident.

A member that lost its disk must never found again: it may have given a vote that it has forgotten (ARCHITECTURE.md,
rules 7, 13). So founding is an act of deployment in two phases, each on all hosts before the next begins:

    empty --invite(cluster id)--> invited --confirm--> founded

An invited member has written nothing into a log and started nothing, so an interrupted deploy can go on. Once one
host is founded, an *empty* one beside it is a lost disk, and the deploy refuses to go on.

The data directory: cluster.json (this module), incarnation, log/ (raftlog), state/ (storage).
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from raftlog import Corrupt, Log, RaftError

from tinysns.runtime.process import CannotStart
from tinysns.runtime.settings import MasterSettings
from tinysns.storage.layout import database_in_force
from tinysns.storage.schema import StateError
from tinysns.storage.state import StateMachine

GROUP = 1
_LOG_FILE_MB, _LOG_KEEP_MB = 16, 64


@dataclass(frozen=True, slots=True)
class Membership:
    """What a founded member knows for life: cluster.json."""

    cluster_id: str
    node: int
    nodes: tuple[int, ...]


def open_log(data: Path) -> Log:
    """The log's directory. Raises CannotStart if another process has it open, raftlog.Corrupt if it is damaged."""
    try:
        return Log.open(str(data / "log"), file_mb=_LOG_FILE_MB, keep_mb=_LOG_KEEP_MB)
    except OSError as e:
        raise CannotStart(f"cannot open the log in {data}/log: {e}; is another master running on it?") from e


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
    write_durably(settings.data / "invitation.json", json.dumps({"cluster_id": cluster_id}))


def confirm(settings: MasterSettings) -> None:
    """Phase two. Raises CannotStart unless invited; does nothing on a founded member."""
    state, cluster_id = status(settings)
    if state == "founded":
        return
    if state != "invited":
        raise CannotStart(f"{settings.name} has no invitation in {settings.data}; run ansible-playbook deploy.yml")
    nodes = tuple(m.node for m in settings.members)
    try:
        _found_log(settings, nodes)
        _make_state(settings, cluster_id)
    except (Corrupt, StateError) as e:
        raise CannotStart(f"the data in {settings.data} cannot be used: {e}") from e
    membership = Membership(cluster_id, settings.node, nodes)
    write_durably(settings.data / "cluster.json", json.dumps(asdict(membership)))
    (settings.data / "invitation.json").unlink()


def _found_log(settings: MasterSettings, nodes: tuple[int, ...]) -> None:
    log = open_log(settings.data)
    try:
        log.found(GROUP, list(nodes))
    except Corrupt:
        raise
    except RaftError:  # it is in the log: an interrupted confirmation got this far
        group = log.group(GROUP, settings.node)
        voters, _ = group.members()
        if group.status().last > 1:
            raise CannotStart(f"the log in {settings.data} was used already; restore cluster.json beside it") from None
        if set(voters) != set(nodes):
            raise CannotStart(
                f"the log in {settings.data} was founded with the members {voters}, the settings have {sorted(nodes)};"
                f" go on with the inventory that was interrupted"
            ) from None


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
    write_durably(path, f"{incarnation}\n")
    return incarnation


def write_durably(path: Path, text: str) -> None:
    """All or nothing, and on disk before it returns."""
    new = path.with_suffix(".new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
