"""Both interfaces of the course, from outside: real processes, and clients that were made from the proto files alone.

Every scenario runs at every kind of address that such a client may have: the Available master, a master that stands by,
and port 3010 of the router or of a deputy router.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.integration import course_scenarios
from tests.integration.course_clients import MESSENGER, SNS, Interface
from tests.integration.service import Service

pytestmark = pytest.mark.timeout(600)

ADDRESSES = ("available", "standby", "router", "deputy")
INTERFACES = ((SNS, "spring2019"), (MESSENGER, "hw2"))
# A deputy is a router's wiring in another process, so each of the two has one interface to relay.
DOORS = [(SNS, "available"), (SNS, "standby"), (SNS, "router")]
DOORS += [(MESSENGER, "available"), (MESSENGER, "standby"), (MESSENGER, "deputy")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for all scenarios; two restart it, and the others have users of their own."""
    service = Service(tmp_path_factory.mktemp("course"), 3)
    service.start()
    asyncio.run(service.ready())
    yield service
    service.end()


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """Of user names: another one for each test."""
    return f"t{request.session.items.index(request.node)}."


async def addresses(service: Service) -> dict[str, str]:
    """By kind."""
    leader = await service.leader()
    standby = next(name for name in service.names if name != leader)
    deputy = next(iter(service.deputies.values()))
    masters = service.masters
    return {"available": masters[leader], "standby": masters[standby], "router": service.router, "deputy": deputy}


@pytest.mark.parametrize(("interface", "where"), DOORS, ids=str)
async def test_the_reply_table(shared: Service, interface: Interface, where: str, prefix: str) -> None:
    dialect = dict(INTERFACES)[interface]
    await course_scenarios.reply_table(interface, dialect, (await addresses(shared))[where], prefix)


@pytest.mark.parametrize(("interface", "where"), DOORS, ids=str)
@pytest.mark.parametrize(
    "scenario",
    [
        course_scenarios.backlog,
        course_scenarios.ten_live,
        course_scenarios.refusals,
        course_scenarios.limits,
    ],
    ids=lambda scenario: scenario.__name__,
)
async def test_scenario(shared: Service, scenario: Callable, interface: Interface, where: str, prefix: str) -> None:
    await scenario(interface, (await addresses(shared))[where], prefix)


@pytest.mark.parametrize("where", ADDRESSES)
async def test_set_stream_with_a_newline_is_a_post(shared: Service, where: str, prefix: str) -> None:
    await course_scenarios.set_stream_as_a_post((await addresses(shared))[where], prefix)


@pytest.mark.parametrize(
    ("first", "second"),
    [("available", "available"), ("available", "standby"), ("standby", "available"), ("router", "deputy")],
)
async def test_users_of_both_interfaces_see_each_other(shared: Service, first: str, second: str, prefix: str) -> None:
    found = await addresses(shared)
    await course_scenarios.two_interfaces(found[first], found[second], prefix)


async def test_follower_info_is_the_same_everywhere(shared: Service, prefix: str) -> None:
    await course_scenarios.follower_info(tuple((await addresses(shared)).values()), prefix)


async def test_the_texts_of_fall2022(make_service: Callable[..., Service]) -> None:
    """Which only masters know: whoever relays passes them on as it does those of spring2019."""
    service = make_service(3, dialect="fall2022")
    service.start()
    await service.ready()
    found = await addresses(service)
    await course_scenarios.reply_table(SNS, "fall2022", found["standby"], "sns.")
    await course_scenarios.reply_table(SNS, "fall2022", found["router"], "sns.router.")
    await course_scenarios.reply_table(MESSENGER, "hw2", found["standby"], "hw2.")


@pytest.mark.parametrize("how", ["in order", "killed"])
async def test_everything_restarted_in_between(shared: Service, how: str, prefix: str) -> None:
    service = shared
    for where, address in (await addresses(service)).items():
        for interface, dialect in INTERFACES:
            await course_scenarios.before_a_restart(interface, address, f"{prefix}{dialect}.{where}.")
    if how == "killed":
        kill_everything(service)
    else:
        service.end()
    service.start()
    await service.ready()
    for where, address in (await addresses(service)).items():
        for interface, dialect in INTERFACES:
            await course_scenarios.after_a_restart(interface, dialect, address, f"{prefix}{dialect}.{where}.")


def kill_everything(service: Service) -> None:
    """All processes at once, as when the power fails: first the slaves, who would start their masters again."""
    for name in (*service.names, "router"):
        service.kill(name)
    for name in service.names:
        os.kill(service.master_pid(name), signal.SIGKILL)
