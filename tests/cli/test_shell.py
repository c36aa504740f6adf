"""`sns shell` in a pipe: what scripts get to see, and with which status it ends."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Service
from tests.cli.terminal import environment
from tinysns.client import Client

TITLE = """
========= TINY SNS CLIENT =========
 Command Lists and Format:
 FOLLOW <username>
 UNFOLLOW <username>
 LIST
 TIMELINE
=====================================
"""
HELP = "sns: commands: LIST, FOLLOW <username>, UNFOLLOW <username>, TIMELINE, EXIT (or QUIT)\n"
IN_THE_TIMELINE = "Cmd> Command completed successfully\nNow you are in the timeline\n"


def sns(*arguments: str, stdin: bytes) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "tinysns.cli", *arguments],
        input=stdin, capture_output=True, timeout=60, env=environment({}), check=False,
    )  # fmt: skip
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def friends(service: Service) -> Service:
    """bob follows ann, who has posted 25 lines, one of them before that."""

    async def meet() -> None:
        async with Client(service.cluster.router_addresses) as client:
            session = client.session()
            for user in ("ann", "bob"):
                await session.login(user)
            await session.post("ann", ["before"])
            await session.follow("bob", "ann")
            await session.post("ann", [f"line {n}" for n in range(24)])

    service.do(meet())
    return service


def test_session_prints_what_the_course_client_prints(friends: Service) -> None:
    script = b"list\nFOLLOW bob\nfollow eve\nUnFollow ann\nFOLLOW ann\nUNFOLLOW bob\nUNFOLLOW eve\nexit\nLIST\n"
    result = sns("shell", "bob", stdin=script)
    assert result.stdout == (
        f"Welcome Back bob\n{TITLE}"
        "Cmd> Command completed successfully\nAll users: ann, bob, \nFollowers: bob, \n"
        "Cmd> Input username already exists, command failed\n"
        "Cmd> Command failed with invalid username\n"
        "Cmd> Command completed successfully\n"
        "Cmd> Command completed successfully\n"
        "Cmd> Command failed with invalid username\n"
        "Cmd> Command failed with invalid username\n"
        "Cmd> "
    )
    assert result.stderr == (
        "sns: 'bob' follows 'bob' already\n"
        "sns: 'bob' or 'eve' has never logged in\n"
        "sns: 'bob' cannot unfollow 'bob': every user follows itself\n"
        "sns: 'bob' or 'eve' has never logged in\n"
    )
    assert result.returncode == 1


@pytest.mark.parametrize(
    ("line", "answer", "explanation"),
    [
        ("help", "Invalid Command", HELP),
        ("FOLLOW", "Invalid Command", HELP),
        ("FOLLOW ", "Invalid Input -- No Arguments Given", HELP),
        ("poke ann", "Command failed with invalid command", HELP),
        ("follow a b", "Command failed with invalid username", "nothing else, not 'a b'\n"),
        (f"follow {'x' * 65}", "Command failed with invalid username", f"nothing else, not '{'x' * 65}'\n"),
        ("follow caf\xe9", "Command failed with invalid command", "sns: line 1 is not UTF-8 text\n"),
        ("x" * 70_000, "Command failed with invalid command", "sns: line 1 is longer than a post can be"),
    ],
)
def test_command_that_cannot_be_is_answered_and_explained(
    service: Service, line: str, answer: str, explanation: str
) -> None:
    result = sns("shell", "bob", stdin=f"{line}\nlist\n".encode("latin-1"))
    assert result.stdout == (
        f"Login Successful!\n{TITLE}Cmd> {answer}\n"
        "Cmd> Command completed successfully\nAll users: bob, \nFollowers: bob, \nCmd> \n"
    )
    assert explanation in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.returncode == 1


def test_timeline_shows_the_last_20_newest_first_and_posts_each_line(friends: Service) -> None:
    result = sns("shell", "bob", stdin=b"Timeline\none\n\ntwo\r\nthree")
    backlog = "".join(f"ann(Thu Jan  1 00:00:00 1970) >> line {n}\n" for n in range(23, 3, -1))
    assert result.stdout == f"Welcome Back bob\n{TITLE}{IN_THE_TIMELINE}{backlog}"
    assert (result.returncode, result.stderr) == (0, "")
    assert [p.text for p in friends.cluster.model.posts if p.author == "bob"] == ["one", "two", "three"]


def test_many_posts_are_acknowledged_before_the_end(service: Service) -> None:
    lines = [f"post {n}" for n in range(1000)]
    result = sns("shell", "bob", stdin="\n".join(["TIMELINE", *lines]).encode())
    assert result.returncode == 0
    assert [p.text for p in service.cluster.model.posts] == lines


def test_post_that_cannot_be_is_refused_and_the_others_are_not(service: Service) -> None:
    result = sns("shell", "bob", stdin=b"TIMELINE\none\nb\xffd\n" + b"x" * 65537 + b"\ntwo\n")
    assert [p.text for p in service.cluster.model.posts] == ["one", "two"]
    assert result.stderr == (
        "sns: not posted: line 3 is not UTF-8 text\n"
        "sns: not posted: line 4 is longer than a post can be (65536 bytes)\n"
    )
    assert result.returncode == 1


def test_post_that_the_service_refuses_is_named(service: Service) -> None:
    service.cluster.invalid_text = "two"
    result = sns("shell", "bob", stdin=b"TIMELINE\none\ntwo\nthree\n")
    assert [p.text for p in service.cluster.model.posts] == ["one", "three"]
    assert result.stderr == "sns: not posted: 'two': that text is not wanted here\n"
    assert result.returncode == 1


def test_posts_of_others_appear_while_input_is_open(friends: Service) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tinysns.cli", "shell", "bob"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment({}),
    ) as shell:  # fmt: skip
        assert shell.stdin
        assert shell.stdout
        shell.stdin.write("TIMELINE\n")
        shell.stdin.flush()
        while "line 4\n" not in shell.stdout.readline():
            pass
        friends.do(_post(friends, "a\x1b[31mb"))
        assert shell.stdout.readline() == "ann(Thu Jan  1 00:00:00 1970) >> a\N{REPLACEMENT CHARACTER}[31mb\n"
        shell.stdin.close()
        assert shell.wait(60) == 0


async def _post(service: Service, text: str) -> None:
    async with Client(service.cluster.router_addresses) as client:
        await client.session().post("ann", [text])


def test_name_that_cannot_be_ends_it_before_the_title(service: Service) -> None:
    result = sns("shell", "no spaces", stdin=b"LIST\n")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("sns: a user name has 1 to 64 of")


def test_service_that_is_away_ends_it_with_a_sentence() -> None:
    result = sns("shell", "bob", "--router", "127.0.0.1:1", stdin=b"LIST\n")
    assert (result.returncode, result.stdout) == (3, "")
    assert "no router answers (tried 127.0.0.1:1" in result.stderr


def test_interrupted_input_says_how_far_it_came(service: Service) -> None:
    asyncio.run(_login(service))
    with subprocess.Popen(
        [sys.executable, "-m", "tinysns.cli", "post", "ann", "-"],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment({}),
    ) as poster:  # fmt: skip
        assert poster.stdin
        assert poster.stderr
        poster.stdin.write("one\n\ntwo\n")
        poster.stdin.flush()
        service.do(_posted(service, 2))
        poster.send_signal(signal.SIGINT)
        assert poster.stderr.read() in (
            "sns: interrupted; posted: 2, up to line 3; go on with line 4\n",
            "sns: interrupted; nothing was posted; whether lines 1 to 3 were posted is not known:"
            " look before you go on\n",  # the answer was still on its way
        )
        assert poster.wait(60) == 130


async def _login(service: Service) -> None:
    async with Client(service.cluster.router_addresses) as client:
        await client.session().login("ann")


async def _posted(service: Service, count: int) -> None:
    model = service.cluster.model
    while len(model.posts) < count:
        grown = model.grown
        await asyncio.wait_for(grown.wait(), 60)


def test_help_does_not_wait_for_what_only_the_shell_needs() -> None:
    program = "import sys, tinysns.cli.__main__; print(*({'prompt_toolkit', 'grpc', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True, env=environment({}))
    assert done.stdout == b"\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str) -> None:
    assert "_SNS_COMPLETE" in sns("completion", shell, stdin=b"").stdout


def test_completion_is_quiet_where_no_router_answers(tmp_path: Path) -> None:
    words = {"COMP_WORDS": "sns follow a", "COMP_CWORD": "2", "_SNS_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-c", "from tinysns.cli.__main__ import main; main(prog_name='sns')"],
        capture_output=True, check=False, timeout=60,
        env=environment(words | {"SNS_ROUTERS": "127.0.0.1:1", "HOME": os.fspath(tmp_path)}),
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == (b"", b"")
