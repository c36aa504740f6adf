"""What a master gives to a member that is too far behind."""

from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from tests.master.test_founding import settings
from tinysns.master.service import MasterService, Self, Sources
from tinysns.sns.counters import Counters
from tinysns.storage.state import StateMachine
from tinysns.wire.v1 import master_pb2 as pb


@dataclass
class Standing:
    """A replica, as far as it is asked here."""

    applied_index: int = 7
    free_bytes: int = 1 << 40

    def status(self) -> "Standing":
        return self


class Ended(Exception):
    """The call was ended with this status."""


class Context:
    async def abort_with_status(self, status: grpc.Status) -> None:
        raise Ended(status.details)


def service(folder: Path, state: StateMachine, replica: Standing) -> MasterService:
    sources = Sources(Counters(), lambda: 0, lambda: (0, ""), state.copy_to, lambda: 5 << 20)
    return MasterService(Self(settings(folder), "c1", 1, 0), replica, sources)


@pytest.fixture
def state(tmp_path: Path) -> StateMachine:
    state = StateMachine.create(settings(tmp_path).data / "state", "c1")
    state.apply([], 7)
    return state


async def test_a_copy_that_a_crash_left_is_removed_at_the_next_start(tmp_path: Path, state: StateMachine) -> None:
    request = pb.FetchStateRequest(cluster_id="c1", at_least_index=7)
    chunks = service(tmp_path, state, Standing()).FetchState(request, Context())
    chunk = await anext(chunks)
    assert (chunk.applied_index, chunk.size_bytes) == (7, len(chunk.data))
    folder = settings(tmp_path).data
    copies = list(folder.rglob("copy.db"))
    assert len(copies) == 1
    state.close()
    StateMachine.open(folder / "state", "c1").close()
    assert not copies[0].exists()


@pytest.mark.parametrize(
    ("cluster_id", "replica", "sentence"),
    [
        ("c2", Standing(), "cluster c1, not c2"),
        ("c1", Standing(applied_index=6), "behind 7"),
        ("c1", Standing(free_bytes=68 << 20), "no room for a copy"),  # 64 are to be kept
    ],
)
async def test_a_copy_is_refused(
    tmp_path: Path, state: StateMachine, cluster_id: str, replica: Standing, sentence: str
) -> None:
    request = pb.FetchStateRequest(cluster_id=cluster_id, at_least_index=7)
    with pytest.raises(Ended, match=sentence):
        await anext(service(tmp_path, state, replica).FetchState(request, Context()))
