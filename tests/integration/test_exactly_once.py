"""Every write takes effect once, in the order sent, although its leader dies between the log and the answer (G2).

The leader dies at an exact point of an exact write, in the middle of a full pipeline of all kinds of writes: see
faulty_master.py. What clients see on each master afterwards is judged.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from tests.client.model import Model
from tests.integration.dying import Doom, mortal_service
from tests.integration.judging import judge
from tests.integration.service import Service
from tests.integration.signpost import Signpost
from tinysns.client import Client
from tinysns.client.session import Limits, Session
from tinysns.codec import command_to_wire
from tinysns.domain.positions import entry_of
from tinysns.domain.writes import SESSION_WINDOW, Answer, Command, Follow, Login, Post, Unfollow, Write

pytestmark = pytest.mark.timeout(600)

# The answers are to come from the standby that waits for the next leader, however slow this machine is.
PATIENT = Limits(try_seconds=60.0, deadline_seconds=120.0, connect_seconds=60.0)
ROUNDS = 24
POINTS_AND_KINDS = [
    ("committed", Login),
    ("committed", Follow),
    ("committed", Unfollow),
    ("committed", Post),
    ("applied", Post),
    ("proposed", Follow),
]
# Of what a standby has taken, the leader's Python hears only when it is committed.
CASES = [
    (through, *case)
    for through in ("leader", "standby")
    for case in POINTS_AND_KINDS
    if (through, case[0]) != ("standby", "proposed")
]

_case = itertools.count(1)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One for all cases: each has users of its own."""
    with mortal_service(tmp_path_factory.mktemp("exactly-once")) as service:
        yield service


@pytest.fixture
def tag() -> str:
    """What the names of this case's users begin with."""
    return f"case{next(_case)}."


@pytest.mark.parametrize(("through", "point", "kind"), CASES)
async def test_the_leader_dies_in_the_middle_of_a_full_pipeline(
    service: Service, tag: str, through: str, point: str, kind: type[Write]
) -> None:
    await service.ready()
    leader = await service.leader()
    writes, marked = pipeline(tag, kind)
    async with client_through(service, through, leader) as client, Doom(service, leader, point, marked) as doom:
        session, first_asked = client.session(), client.route.order[0]
        answers = await send_all(session, writes)
        death = await doom.came()
        assert (session.master == first_asked) == (through == "standby")
    model = Model()
    expected = [model.apply(command_to_wire(Command(1, number, w))) for number, w in enumerate(writes, start=1)]
    assert [answer.outcome for answer in answers] == [answer.outcome for answer in expected]
    positions = [answer.position for answer in answers]
    assert positions == sorted(set(positions))
    if point != "proposed":  # what the dead leader had committed was executed, and not what was sent again
        assert entry_of(positions[writes.index(marked)]) == death.index
    await judge(service, model, tag)


def pipeline(tag: str, kind: type[Write]) -> tuple[list[Write], Write]:
    """Many writes of all kinds, hardly any two of which may change places; and the one of `kind` in their middle."""
    reader, author = f"{tag}reader", f"{tag}author"
    writes: list[Write] = [Login(reader), Login(author), Follow(reader, author)]
    for i in range(ROUNDS):
        fan = f"{tag}fan{i}"
        writes += [Login(fan), Follow(fan, author), Post(author, (f"{tag} {i} first", f"{tag} {i} second"))]
        writes += [Unfollow(fan, author), Unfollow(reader, author)]
        writes += [Post(author, (f"{tag} {i} while the reader did not follow",)), Follow(reader, author)]
        if i == ROUNDS // 2:
            marked = next(write for write in writes[-7:] if type(write) is kind)
    return writes, marked


@contextlib.asynccontextmanager
async def client_through(service: Service, through: str, leader: str) -> AsyncIterator[Client]:
    """A client that goes to the leader, as the router says, or to a standby, and stays there."""
    if through == "leader":
        async with service.client() as client:
            yield client
    else:
        standbys = [address for name, address in service.masters.items() if name != leader]
        async with (
            Signpost([*standbys, service.masters[leader]]) as signpost,
            Client([signpost.address], limits=PATIENT) as client,
        ):
            yield client


async def send_all(session: Session, writes: Sequence[Write]) -> list[Answer]:
    """With as many in flight as a session may have."""
    answers = []
    for number, write in enumerate(writes):
        await session.room()
        answers.append(session.submit(write))
        if number == SESSION_WINDOW - 1:
            assert not any(answer.done() for answer in answers)
    return await asyncio.gather(*answers)
