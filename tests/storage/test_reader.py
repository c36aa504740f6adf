"""What readers see: timelines from a cursor, lists, and all of it at one position."""

import sqlite3
import threading

import pytest

from tests.storage.making import Log, entry
from tinysns.domain.positions import end_of
from tinysns.domain.writes import Command, Login, Post, Unfollow
from tinysns.storage.reader import _INTERVALS, _RUN_ASCENDING, _RUN_DESCENDING, Neighbours, Page, Reader
from tinysns.storage.state import StateMachine


def texts(page: Page) -> list[str]:
    positions = [post.position for post in page.posts]
    assert positions == sorted(set(positions))
    return [post.text for post in page.posts]


@pytest.fixture
def users(log: Log) -> Log:
    log.login("ann", "bob", "cid")
    return log


@pytest.mark.parametrize("text", ["\0", "a\0b", "😀", "'; DROP TABLE posts; --", "two\nlines", "ü" * 32 * 1024])
def test_every_text_comes_back_as_it_was_posted(users: Log, reader: Reader, text: str) -> None:
    users.follow("ann", "bob")
    position = users.post("bob", text, text)
    page = reader.timeline("ann", 0, 10)
    assert [(p.position, p.author, p.time_unix_ns, p.text) for p in page.posts] == [
        (position, "bob", 7, text),
        (position + 1, "bob", 7, text),
    ]


def test_a_batch_larger_than_a_statement_is_stored_whole_and_in_order(users: Log, reader: Reader) -> None:
    users.follow("ann", "bob")
    batch = [str(i) for i in range(1000)]
    users.post("bob", *batch)
    assert texts(reader.timeline("ann", 0, 5000)) == batch


def test_a_timeline_shows_what_was_posted_between_follow_and_unfollow(users: Log, reader: Reader) -> None:
    users.post("bob", "before")
    users.follow("ann", "bob")
    users.post("bob", "first")
    users.unfollow("ann", "bob")
    users.post("bob", "not seen")
    users.follow("ann", "bob")
    users.post("bob", "second")
    users.post("ann", "own")
    users.post("cid", "a stranger's")
    assert texts(reader.timeline("ann", 0, 10)) == ["first", "second"]


def test_an_unfollow_tears_no_hole_for_a_reader_who_comes_from_before_it(users: Log, reader: Reader) -> None:
    users.follow("ann", "bob")
    cursor = users.post("bob", "read")
    users.post("bob", "posted while followed")
    users.unfollow("ann", "bob")
    assert texts(reader.timeline("ann", cursor, 10)) == ["posted while followed"]
    assert texts(reader.newest("ann", 10)) == []


def test_an_unfollow_in_the_entry_of_the_post_counts_by_position(
    machine: StateMachine, users: Log, reader: Reader
) -> None:
    users.follow("ann", "bob")
    index = machine.applied_index + 1
    machine.apply(
        [
            entry(
                index,
                Command(2, 1, Post("bob", ("seen",))),
                Command(2, 2, Unfollow("ann", "bob")),
                Command(2, 3, Post("bob", ("not seen",))),
            )
        ],
        index,
    )
    assert texts(reader.timeline("ann", 0, 10)) == ["seen"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_of_any_size_join_to_the_same_timeline(users: Log, reader: Reader, limit: int) -> None:
    users.follow("ann", "bob")
    users.follow("ann", "cid")
    expected = []
    for i in range(30):
        author = "bob" if i % 3 else "cid"
        users.post(author, *(batch := [f"{i}/{n}" for n in range(i % 4 + 1)]))
        expected += batch
    seen: list[str] = []
    cursor = 0
    while page := reader.timeline("ann", cursor, limit).posts:
        seen += [post.text for post in page]
        cursor = page[-1].position
    assert seen == expected
    assert texts(reader.newest("ann", limit)) == expected[-limit:]


def test_one_loud_author_among_quiet_ones_is_read_to_the_end_of_the_page(users: Log, reader: Reader) -> None:
    quiet = [f"q{i}" for i in range(9)]
    users.login(*quiet)
    for author in (*quiet, "bob"):
        users.follow("ann", author)
    for author in quiet:
        users.post(author, author)
    loud = [str(i) for i in range(200)]
    users.post("bob", *loud)
    assert texts(reader.timeline("ann", 0, 150)) == (quiet + loud)[:150]
    assert texts(reader.newest("ann", 205)) == (quiet + loud)[-205:]


def test_newest_starts_with_the_follow(users: Log, reader: Reader) -> None:
    users.post("bob", "before")
    users.follow("ann", "bob")
    users.post("bob", "1", "2", "3")
    users.post("ann", "own")
    assert texts(reader.newest("ann", 10)) == ["1", "2", "3"]
    assert texts(reader.newest("ann", 2)) == ["2", "3"]


def test_a_page_says_how_far_it_goes_also_when_empty(users: Log, reader: Reader, machine: StateMachine) -> None:
    assert reader.timeline("ann", 0, 10) == Page(machine.applied_index, ())
    assert reader.timeline("nobody", (1 << 64) - 1, 10) == Page(machine.applied_index, ())


def test_lists_are_sorted_and_a_user_follows_itself_by_rule(users: Log, reader: Reader) -> None:
    users.follow("bob", "ann")
    users.follow("bob", "cid")
    users.follow("cid", "bob")
    users.unfollow("cid", "bob")
    lists = reader.lists("bob")
    assert (lists.users, lists.followers, lists.following) == (("ann", "bob", "cid"), ("bob",), ("ann", "cid"))
    assert lists.known
    assert reader.lists("ann").followers == ("ann", "bob")
    assert reader.following("bob")[1] == {"ann", "cid"}
    counts = reader.counts()
    assert (counts.users, counts.follows, counts.sessions) == (3, 2, 1)


def test_an_unknown_user_has_empty_lists_and_is_named_so(users: Log, reader: Reader) -> None:
    lists = reader.lists("nobody")
    assert not lists.known
    assert (lists.users, lists.followers, lists.following) == (("ann", "bob", "cid"), (), ())


def test_only_whoever_logged_in_is_known(users: Log, reader: Reader) -> None:
    assert reader.knows("ann")
    assert not reader.knows("Ann")
    assert not reader.knows("")


def test_neighbours_are_sorted_and_each_user_is_its_own(users: Log, reader: Reader) -> None:
    users.follow("cid", "bob")
    users.follow("cid", "ann")
    users.follow("ann", "bob")
    users.unfollow("ann", "bob")
    names = 3 * 3 * 3 + 2 * 2 * 3  # each user thrice, two names to a follow
    assert reader.neighbours(names) == {
        "ann": Neighbours(("ann", "cid"), ("ann",)),
        "bob": Neighbours(("bob", "cid"), ("bob",)),
        "cid": Neighbours(("cid",), ("ann", "bob", "cid")),
    }
    assert reader.neighbours(names - 1) is None


def test_nobody_has_no_neighbours(reader: Reader) -> None:
    assert reader.neighbours(0) == {}


def test_the_digest_sees_every_kind_of_change(users: Log, reader: Reader) -> None:
    seen = {reader.digest()[1]}
    for change in (
        lambda: users.follow("ann", "bob"),
        lambda: users.post("bob", "x"),
        lambda: users.unfollow("ann", "bob"),
        lambda: users.do(Login("ann")),  # changes the session only
    ):
        change()
        seen.add(reader.digest()[1])
    assert len(seen) == 5


@pytest.mark.parametrize(
    ("query", "parameters", "plan"),
    [
        (_INTERVALS, ("ann", 0, 0), {"SEARCH follows USING PRIMARY KEY (user=?)", "CORRELATED SCALAR SUBQUERY 1"}),
        (_RUN_ASCENDING, ("bob", 0, 9, 9), {"SEARCH posts USING PRIMARY KEY (author=? AND position>? AND position<?)"}),
        (
            _RUN_DESCENDING,
            ("bob", 0, 9, 9),
            {"SEARCH posts USING PRIMARY KEY (author=? AND position>? AND position<?)"},
        ),
    ],
)
def test_timelines_are_read_by_index_and_never_sorted(
    machine: StateMachine, query: str, parameters: tuple[str | int, ...], plan: set[str]
) -> None:
    steps = {row[3] for row in machine._opened.writer.execute("EXPLAIN QUERY PLAN " + query, parameters)}
    assert plan <= steps
    assert not any(step.startswith(("SCAN", "USE TEMP B-TREE")) for step in steps)


def test_a_reader_near_the_end_does_not_read_what_lies_behind_it(users: Log, reader: Reader) -> None:
    users.follow("ann", "bob")
    for _ in range(20):
        end = users.post("bob", *("x" * 40,) * 4000)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with reader._views.view() as view:
        view.database.set_progress_handler(count, 100)
        connection = view.database
    assert len(reader.timeline("ann", end_of(end >> 16) - 1, 10).posts) == 0
    assert len(reader.newest("ann", 10).posts) == 10
    assert len(reader.timeline("ann", 0, 10).posts) == 10
    connection.set_progress_handler(None, 0)
    assert steps < 10  # hundreds of steps of SQLite's machine, not hundred thousands


def test_each_answer_is_one_view_while_entries_are_applied(users: Log, machine: StateMachine, reader: Reader) -> None:
    users.follow("ann", "bob")
    first = machine.applied_index
    done = threading.Event()
    torn: list[Page] = []

    def read() -> None:
        while not done.is_set():
            page = reader.timeline("ann", 0, 10_000)
            if len(page.posts) != 3 * (page.applied_index - first):
                torn.append(page)

    threads = [threading.Thread(target=read, name=f"reader {i}") for i in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            users.post("bob", "a", "b", "c")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert torn == []


def test_the_file_can_be_read_with_the_shell_while_it_is_in_use(users: Log, machine: StateMachine) -> None:
    users.post("bob", "hello")
    shell = sqlite3.connect(f"{machine.database().as_uri()}?mode=ro", uri=True)
    assert shell.execute("SELECT author, text FROM posts").fetchall() == [("bob", "hello")]
    shell.close()
