"""The whole service under both routing policies: a crowd of clients of two kinds, while one process after another dies.

crowd.py does it and writes down what was seen. What must be so stands here: our clients see every post once and in
order; a client of the course, which can only enter again through port 3010, sees each time the last 20 posts, newest
first, and then every post that comes.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from pydantic import TypeAdapter

from tests.lab.conftest import Deployed
from tests.lab.raw_clients import BACKLOG_POSTS
from tests.lab.service import HOSTS, LAB, REPOSITORY, run

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]

INVENTORY = "inventory/lab.yml"
PROTO = REPOSITORY / "proto/tinysns/wire/csce438"
KILLED = ("available", "router", "slave", "standby")
POSTS = 1000

Post = tuple[str, str]  # author, text


@dataclass(frozen=True)
class Entry:
    """One time of a raw client in timeline mode."""

    address: str
    login: str
    asked_ns: int
    posts: list[Post]
    end: str


@dataclass(frozen=True)
class Raw:
    imported: list[str]
    seen: dict[str, list[Entry]]


@dataclass(frozen=True)
class Killed:
    target: str
    host: str
    pid: int
    open_streams: int


@dataclass(frozen=True)
class Crowd:
    """What crowd.py has written down."""

    policy: str
    truth: dict[str, list[tuple[int, str, str]]]
    acknowledged: list[tuple[int, str, str, int]]
    ours: dict[str, list[tuple[int, str, str]]]
    raw: Raw
    killed: list[Killed]
    spread: dict[str, int]

    @property
    def all_posts(self) -> list[tuple[int, str, str]]:
        return self.truth[HOSTS[0]]

    def visible_to(self, user: str) -> list[Post]:
        """Every post that this user's timeline must show: it follows all others from the beginning."""
        return [(author, text) for _, author, text in self.all_posts if author != user]


@pytest.fixture(scope="module", params=["available", "balanced"])
def crowd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, deployed_on_the_lab: Deployed
) -> Iterator[Crowd]:
    """One crowd under each policy; the default policy is deployed again afterwards."""
    folder = tmp_path_factory.mktemp(request.param)
    run(LAB, "up", seconds=600)
    try:
        deployed_on_the_lab.under(request.param)
        stubs = ("--python_out", str(folder), "--grpc_python_out", str(folder))
        run(sys.executable, "-m", "grpc_tools.protoc", "-I", str(PROTO), *stubs, "sns.proto")
        words = (sys.executable, "-m", "tests.lab.crowd", INVENTORY, request.param, str(folder))
        run(LAB, "exec", *words, str(folder / "result.json"), seconds=600)
        found = TypeAdapter(dict[str, object]).validate_json((folder / "result.json").read_bytes())
        yield TypeAdapter(Crowd).validate_python(found | {"policy": request.param})
    finally:
        if request.param != "available":
            deployed_on_the_lab.under("available")


def test_each_kind_of_process_was_killed_and_came_back(crowd: Crowd) -> None:
    assert tuple(killed.target for killed in crowd.killed) == KILLED
    assert crowd.killed[-1].open_streams > 0  # somebody was on that standby


def test_clients_go_where_the_policy_says(crowd: Crowd) -> None:
    streams = sorted(crowd.spread.values())
    if crowd.policy == "balanced":
        assert streams[0] > 0
        assert streams[-1] <= sum(streams) / 2
    else:
        assert streams[-1] > sum(streams) / 2


def test_every_master_shows_the_same(crowd: Crowd) -> None:
    assert all(posts == crowd.all_posts for posts in crowd.truth.values())
    assert len({text for _, _, text in crowd.all_posts}) == len(crowd.all_posts)


def test_every_post_of_ours_was_acknowledged_and_is_there_once_and_in_order(crowd: Crowd) -> None:
    acknowledged = sorted((position, author, text) for position, author, text, _ in crowd.acknowledged)
    assert len(acknowledged) == POSTS
    assert [post for post in crowd.all_posts if post[1] in crowd.ours] == acknowledged
    for user in crowd.ours:
        written = [int(text.split()[1]) for _, author, text in acknowledged if author == user]
        assert written == sorted(written)


def test_our_clients_see_every_post_once_and_in_order(crowd: Crowd) -> None:
    for user, seen in crowd.ours.items():
        last = max(position for position, author, _, _ in crowd.acknowledged if author != user)
        expected = [post for post in crowd.all_posts if post[1] != user and post[0] <= last]
        assert seen[: len(expected)] == expected, user
        assert seen[len(expected) :] == [p for p in crowd.all_posts if p[1] != user][len(expected) : len(seen)], user


def test_raw_clients_are_welcome_again_and_again_at_every_door(crowd: Crowd) -> None:
    for user, entries in crowd.raw.seen.items():
        assert len(entries) >= 2
        assert all(entry.login == f"Welcome Back {user}" for entry in entries if entry.asked_ns)
    entered = {entry.address for entries in crowd.raw.seen.values() for entry in entries if entry.posts}
    assert len(entered) == len(HOSTS)
    assert crowd.raw.imported == []  # they know nothing but the proto file


def test_raw_clients_see_the_last_20_and_then_what_comes(crowd: Crowd) -> None:
    for user, entries in crowd.raw.seen.items():
        visible = crowd.visible_to(user)
        for entry in entries:
            assert entry.posts == what_an_entry_shows(visible, entry.posts), f"{user} through {entry.address}"
            assert not entry.posts or visible.index(entry.posts[0]) >= newest_before(crowd, user, entry.asked_ns)
        assert entries[-1].posts == visible[-BACKLOG_POSTS:][::-1], user


def what_an_entry_shows(visible: Sequence[Post], seen: Sequence[Post]) -> list[Post]:
    """As many posts as were seen, as they must come when the first of them was the newest of its time."""
    if not seen:
        return []
    newest = visible.index(seen[0])
    backlog = list(visible[max(0, newest + 1 - BACKLOG_POSTS) : newest + 1])[::-1]
    return (backlog + list(visible[newest + 1 :]))[: len(seen)]


def newest_before(crowd: Crowd, user: str, at_ns: int) -> int:
    """Place of the newest post that its author had been told of by then, among those that this user sees; or -1."""
    known = {text for _, author, text, told_ns in crowd.acknowledged if told_ns < at_ns}
    return max((n for n, (_, text) in enumerate(crowd.visible_to(user)) if text in known), default=-1)
