"""Commands on the wire: what goes out comes in, and the door refuses what must not enter the log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinysns.codec import command_from_wire, command_to_wire
from tinysns.domain.names import Refused
from tinysns.domain.writes import Command, Follow, Login, Post, Unfollow
from tinysns.wire.v1 import sns_pb2

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
