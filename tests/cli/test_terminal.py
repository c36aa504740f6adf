"""`sns shell` on a terminal: editing, history, completion, and posts above the line being typed."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Service
from tests.cli.terminal import Terminal
from tinysns.client import Client


async def _meet(service: Service) -> None:
    async with Client(service.cluster.router_addresses) as client:
        session = client.session()
        for user in ("ann", "bob"):
            await session.login(user)


async def _post(service: Service, text: str) -> None:
    async with Client(service.cluster.router_addresses) as client:
        await client.session().post("ann", [text])


async def _stored(service: Service, author: str, texts: list[str]) -> None:
    """Returns once these are the posts of this author: a line is shown before it is stored."""
    end = time.monotonic() + 60
    while [post.text for post in service.cluster.model.posts if post.author == author] != texts:
        assert time.monotonic() < end, f"not stored within a minute: {texts}"
        await asyncio.sleep(0.02)


@pytest.fixture
def bob(service: Service, tmp_path: Path) -> Iterator[Callable[[], Terminal]]:
    """Opens bob's shell, again and again, at the first prompt; ann is there, too."""
    service.do(_meet(service))
    opened = list[Terminal]()

    def shell() -> Terminal:
        terminal = Terminal("shell", "bob", XDG_STATE_HOME=str(tmp_path))
        opened.append(terminal)
        terminal.sees("TIMELINE\n=====================================\n")
        terminal.sees("Cmd> ")
        return terminal

    yield shell
    for terminal in opened:
        terminal.__exit__(None, None, None)


def test_tab_completes_verbs_and_users_behind_the_back_of_whoever_types(
    service: Service, bob: Callable[[], Terminal]
) -> None:
    terminal = bob()
    terminal.type("list\r")
    terminal.sees("All users: ann, bob, \nFollowers: bob, \n")  # names are known from here on
    terminal.type("fo\ta\t\r")
    terminal.sees("FOLLOW ann")
    terminal.sees("Command completed successfully")
    assert ("bob", "ann") in service.cluster.model.follows
    terminal.type("ex\t\r")
    assert terminal.ended() == 0


def test_history_is_kept_in_a_file_of_the_user_alone(tmp_path: Path, bob: Callable[[], Terminal]) -> None:
    terminal = bob()
    terminal.type("follow ann\r")
    terminal.sees("Command completed successfully")
    terminal.type("\x04")
    assert terminal.ended() == 0
    history = tmp_path / "tinysns" / "commands.history"
    assert (history.stat().st_mode & 0o777, history.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    terminal = bob()
    terminal.type("\x1b[A\r")
    terminal.sees("follow ann")
    terminal.sees("Input username already exists, command failed\nsns: 'bob' follows 'ann' already\n")


def test_posts_appear_above_the_line_being_typed(service: Service, tmp_path: Path, bob: Callable[[], Terminal]) -> None:
    terminal = bob()
    terminal.type("follow ann\r")
    terminal.sees("Command completed successfully")
    service.do(_post(service, "old"))
    terminal.type("timeline\r")
    terminal.sees("Now you are in the timeline\n")
    terminal.sees(">> old\n")
    terminal.type("half a l")
    terminal.sees("half a l")
    service.do(_post(service, "look \x1b[31mred\x07"))
    terminal.sees("ann(Thu Jan  1 00:00:00 1970) >> look \N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}\n")
    terminal.sees("> half a l")
    assert b"\x1b[31m" not in terminal.raw
    assert b"\x07" not in terminal.raw
    terminal.type("ine\r")
    terminal.sees("> half a line\n")
    service.do(_stored(service, "bob", ["half a line"]))
    terminal.type("\x03")
    terminal.sees("Cmd> ")
    written = "".join(path.read_text() for path in (tmp_path / "tinysns").iterdir())
    assert "half a line" in written
    assert "look" not in written


def test_pasted_lines_are_posts_and_what_is_no_text_is_refused(service: Service, bob: Callable[[], Terminal]) -> None:
    terminal = bob()
    terminal.type("timeline\r")
    terminal.sees("> ")
    terminal.type("\x1b[200~one\rtwo\x1b[201~\r")
    terminal.type(b"b\xffd\r")
    terminal.sees("sns: not posted: a post must be text that UTF-8 can hold")
    terminal.type("three\r\x04")  # the end waits for the answer
    assert terminal.ended() == 0
    assert [p.text for p in service.cluster.model.posts] == ["one", "two", "three"]


def test_interrupt_drops_the_line_and_then_ends_it(bob: Callable[[], Terminal]) -> None:
    terminal = bob()
    terminal.type("exit now\x03")
    terminal.sees("exit now")
    terminal.sees("\nCmd> ")
    terminal.type("\x03")
    assert terminal.ended() == 130


def test_interrupt_ends_waiting_for_an_answer(service: Service, bob: Callable[[], Terminal]) -> None:
    terminal = bob()
    for master in service.cluster.masters:
        master.hang()
    terminal.type("follow ann\r")
    terminal.sees("(no answer for 1 s: ")  # by then it certainly waits
    terminal.interrupt()
    terminal.sees("sns: interrupted; it may take effect all the same\n")
    terminal.sees("Cmd> ")
    for master in service.cluster.masters:
        master.resume()


def test_state_that_cannot_be_written_is_done_without(service: Service, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Terminal("shell", "bob", XDG_STATE_HOME=str(tmp_path / "file")) as terminal:
        terminal.sees("Cmd> ")
        terminal.type("list\r")
        terminal.sees("All users: bob, ")
        terminal.type("quit\r")
        assert terminal.ended() == 0
