"""The commands, as people and scripts use them: what they print, and with which status they end."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pytest
from click.testing import Result

from tests.cli.conftest import Service

Sns = Callable[..., Result]


def test_login_follow_post_and_read(service: Service, sns: Sns) -> None:
    assert sns("login", "ada").output == "Login Successful!\n"
    assert sns("login", "ada").output == "Welcome Back ada\n"
    assert sns("login", "bob").exit_code == 0
    assert sns("follow", "bob", "ada").output == "bob follows ada\n"
    position = json.loads(sns("post", "ada", "hello", "--json").output)["position"]
    assert sns("timeline", "bob").output.endswith(" ada: hello\n")
    assert json.loads(sns("timeline", "bob", "--json").output) == {
        "position": position, "author": "ada", "text": "hello", "time_unix_ns": 1,
    }  # fmt: skip
    assert sns("timeline", "bob", "--after", str(position)).output == ""
    assert json.loads(sns("list", "ada", "--json").output) == {
        "user": "ada", "users": ["ada", "bob"], "followers": ["ada", "bob"], "following": [],
    }  # fmt: skip
    assert "followers: ada bob" in sns("list", "ada").output
    assert sns("unfollow", "bob", "ada").output == "bob no longer follows ada\n"


def test_every_line_of_standard_input_is_a_post(service: Service, sns: Sns) -> None:
    sns("login", "ada")
    lines = [f"line {n}" for n in range(500)]
    result = sns("post", "ada", "-", input="\n".join([*lines, "", ""]))
    assert result.output == "posted 500 lines\n"
    assert [p.text for p in service.cluster.model.posts] == lines


def test_standard_input_from_a_pipe_is_posted_as_it_comes(service: Service, sns: Sns) -> None:
    for user in ("ada", "bob"):
        sns("login", user)
    sns("follow", "bob", "ada")
    with (
        _sns_process("timeline", "bob", "--follow", "--json", stdin=subprocess.DEVNULL) as reader,
        _sns_process("post", "ada", "-") as poster,
    ):
        assert poster.stdin
        assert reader.stdout
        for text in ("one", "two"):
            poster.stdin.write(f"{text}\n")
            poster.stdin.flush()
            assert json.loads(reader.stdout.readline())["text"] == text
        assert poster.communicate()[0] == "posted 2 lines\n"
        reader.terminate()


def test_limit_ends_a_followed_timeline(service: Service, sns: Sns) -> None:
    for user in ("ada", "bob"):
        sns("login", user)
    sns("follow", "bob", "ada")
    sns("post", "ada", "-", input="a\nb\nc\n")
    result = sns("timeline", "bob", "--follow", "--limit", "2", "--json")
    assert [json.loads(line)["text"] for line in result.output.splitlines()] == ["a", "b"]


def test_timeline_of_a_busy_author_ends_where_it_began(service: Service, sns: Sns) -> None:
    for user in ("ada", "bob"):
        sns("login", user)
    sns("follow", "bob", "ada")
    with _sns_process("post", "ada", "-") as poster:
        assert poster.stdin
        stop = threading.Event()
        writer = threading.Thread(target=_post_until, args=(stop, poster.stdin))
        writer.start()
        try:
            assert sns("timeline", "bob").exit_code == 0
        finally:
            stop.set()
            writer.join()
        poster.communicate()


def _post_until(stop: threading.Event, stdin: IO[str]) -> None:
    while not stop.wait(0.02):
        stdin.write("busy\n")
        stdin.flush()


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("follow", "ada", "eve"), 1, "'ada' or 'eve' has never logged in"),
        (("unfollow", "ada", "ada"), 1, "every user follows itself"),
        (("login", "no spaces"), 1, "a user name has 1 to 64"),
        (("post", "ada", ""), 1, "1 to 65536 bytes"),
        (("timeline", "eve"), 1, "no user 'eve'"),
        (("list", "eve"), 1, "no user 'eve'"),
        (("list", "ada", "--router", "localhost:3010"), 2, "not 'localhost:3010'"),
        (("list", "ada", "--router", "127.0.0.1:1"), 3, "no router answers (tried 127.0.0.1:1: nothing listens there)"),
        (("status", "--router", "127.0.0.1:1"), 3, "nothing listens there"),
        (("post", "ada"), 2, "Missing argument"),
    ],
)
def test_errors_are_one_sentence_and_a_status(
    service: Service, sns: Sns, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    sns("login", "ada")
    result = sns(*arguments)
    assert result.exit_code == status
    assert sentence in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (b"\xff\n", "line 5 is not UTF-8 text"),
        (b"x" * 65537, "line 5 is longer than a post can be (65536 bytes)"),
        (b"x" * 1_000_000 + b"\nnext\n", "line 5 is longer than a post can be (65536 bytes)"),
    ],
)
def test_failed_input_says_with_which_line_to_go_on(service: Service, sns: Sns, bad: bytes, sentence: str) -> None:
    sns("login", "ada")
    result = sns("post", "ada", "-", input=b"good\n\ngood\ngood\n" + bad)
    assert result.exit_code == 1
    assert result.stderr == f"sns: {sentence}; posted: 3, up to line 4; go on with line 5\n"
    assert [p.text for p in service.cluster.model.posts] == ["good"] * 3


def test_longest_line_is_a_post(service: Service, sns: Sns) -> None:
    sns("login", "ada")
    assert sns("post", "ada", "-", input=b"x" * 65536 + b"\r\n").exit_code == 0
    assert [len(p.text) for p in service.cluster.model.posts] == [65536]


def test_input_of_an_unknown_user_is_not_posted(service: Service, sns: Sns) -> None:
    result = sns("post", "eve", "-", input="x\n")
    assert result.exit_code == 1
    assert result.stderr == "sns: 'eve' has never logged in; nothing was posted; go on with line 1\n"


def test_settings_come_from_the_file_last(service: Service, sns: Sns, monkeypatch: pytest.MonkeyPatch) -> None:
    from tinysns.cli import settings

    monkeypatch.delenv("SNS_ROUTERS")
    result = sns("login", "ada")
    assert result.exit_code == 2
    assert "no router is known" in result.stderr
    settings.CONFIG.write_text("router = 1")
    assert "must hold a line like" in sns("login", "ada").stderr
    settings.CONFIG.write_text(f"routers = {json.dumps(service.cluster.router_addresses)}")
    assert sns("login", "ada").exit_code == 0


def _sns_process(*arguments: str, stdin: int = subprocess.PIPE) -> "subprocess.Popen[str]":
    source = Path(__file__).parents[2] / "src"
    return subprocess.Popen(
        [sys.executable, "-m", "tinysns.cli", *arguments],
        stdin=stdin, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(source)},
    )  # fmt: skip
