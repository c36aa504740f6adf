import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinysns.domain.names import Refused
from tinysns.domain.writes import Command, Follow, Login, Post, Unfollow
from tinysns.storage.entries import (
    UnreadableEntry,
    command_from_wire,
    command_to_wire,
    decode_entry,
    encode_command,
    stamp,
)
from tinysns.wire.v1 import log_pb2, sns_pb2

NAMES = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
TEXTS = st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1), min_size=1, max_size=5).map(tuple)
WRITES = st.one_of(
    st.builds(Login, NAMES),
    st.builds(Follow, NAMES, NAMES),
    st.builds(Unfollow, NAMES, NAMES),
    st.builds(Post, NAMES, TEXTS),
)
COMMANDS = st.builds(Command, st.integers(1, (1 << 64) - 1), st.integers(1, (1 << 64) - 1), WRITES)


@given(COMMANDS)
def test_a_command_comes_back_from_the_wire_as_it_was(command: Command) -> None:
    assert command_from_wire(command_to_wire(command)) == command


@given(st.lists(COMMANDS, max_size=5), st.integers(0, (1 << 64) - 1))
def test_joined_bytes_are_one_entry_with_all_commands_in_order(commands: list[Command], time: int) -> None:
    assert decode_entry(b"".join(map(encode_command, commands)) + stamp(time)) == (time, commands)


def test_an_empty_entry_holds_nothing() -> None:
    assert decode_entry(b"") == (0, [])


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (sns_pb2.Command(number=1, login=sns_pb2.Login(user="a")), "needs a session"),
        (sns_pb2.Command(session=1, login=sns_pb2.Login(user="a")), "needs a number"),
        (sns_pb2.Command(session=1, number=1), "holds no write"),
        (sns_pb2.Command(session=1, number=1, login=sns_pb2.Login(user="a b")), "a user name"),
        (sns_pb2.Command(session=1, number=1, follow=sns_pb2.Follow(user="a")), "a user name"),
        (sns_pb2.Command(session=1, number=1, unfollow=sns_pb2.Unfollow(target="a")), "a user name"),
        (sns_pb2.Command(session=1, number=1, post=sns_pb2.Post(texts=["x"])), "a user name"),
        (sns_pb2.Command(session=1, number=1, post=sns_pb2.Post(author="a")), "1 to 4096 posts"),
        (sns_pb2.Command(session=1, number=1, post=sns_pb2.Post(author="a", texts=[""])), "1 to 65536 bytes"),
    ],
)
def test_what_must_not_enter_the_log_is_refused_at_the_door(message: sns_pb2.Command, why: str) -> None:
    with pytest.raises(Refused, match=why):
        command_from_wire(message)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff", "cannot be parsed"),
        (log_pb2.Entry(commands=[sns_pb2.Command(session=1, number=1)]).SerializeToString(), "does not know"),
    ],
)
def test_an_entry_that_cannot_be_applied_is_an_error_and_not_skipped(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableEntry, match=why):
        decode_entry(data)
