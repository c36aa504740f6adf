import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_codec import COMMANDS
from tinysns.domain.writes import Command
from tinysns.storage.entries import UnreadableEntry, decode_entry, encode_command, stamp
from tinysns.wire.v1 import log_pb2, sns_pb2


@given(st.lists(COMMANDS, max_size=5), st.integers(0, (1 << 64) - 1))
def test_joined_bytes_are_one_entry_with_all_commands_in_order(commands: list[Command], time: int) -> None:
    assert decode_entry(b"".join(map(encode_command, commands)) + stamp(time)) == (time, commands)


def test_an_empty_entry_holds_nothing() -> None:
    assert decode_entry(b"") == (0, [])


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
