"""docs/course.md says what the code does: the routing calls that are served, and the words of all dialects."""

from pathlib import Path

from tinysns.course.interfaces import interfaces
from tinysns.course.texts import DIALECTS, SPRING2019, UNFOLLOW, Dialect
from tinysns.routing.course_routes import CALLS

DOCUMENT = (Path(__file__).parents[2] / "docs/course.md").read_text()

ROWS = {
    "new user": "logged_in",
    "known user": "welcome_back",
    "no such name can be": "login_refused",
    "already in (single login)": "already_in",
    "followed": "followed",
    "follow: nobody": "follow_unknown",
    "follow: again, oneself": "follow_again",
    "unfollowed": "unfollowed",
    "unfollow: nobody, oneself": "unfollow_unknown",
    "unfollow: not followed": "unfollow_not_followed",
}


def row(*cells: str) -> str:
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|"


def cell(dialect: Dialect, field: str) -> str:
    return getattr(dialect, field) if dialect is not UNFOLLOW or field.startswith("unfollow") else ""


def test_the_words() -> None:
    dialects = (*DIALECTS.values(), UNFOLLOW)
    table = [row("", *(f"`{dialect.name}`" for dialect in dialects)), "|---" * (len(dialects) + 1) + "|"]
    table += [row(what, *(cell(dialect, field) for dialect in dialects)) for what, field in ROWS.items()]
    expected = "\n".join(table)
    assert expected in DOCUMENT, f"docs/course.md needs this table:\n{expected}"


def test_the_routing_calls() -> None:
    listed = [
        line.split("`")[1] for line in DOCUMENT.splitlines() if line.startswith("| `") and "/" in line.split("`")[1]
    ]
    assert sorted(listed) == sorted(f"{service}/{method}" for service, method in CALLS)


def test_every_service_and_method_is_named() -> None:
    for interface in interfaces(SPRING2019):
        assert f"`{interface.service}`" in DOCUMENT
        for name in (*interface.reads, *interface.writes, interface.timeline):
            assert name in DOCUMENT
