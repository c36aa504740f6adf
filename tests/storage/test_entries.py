import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storage.making import entry
from tests.test_codec import COMMANDS
from tinysns.codec import command_to_wire
from tinysns.domain.writes import Command
from tinysns.storage.entries import UnreadableEntry, decode_entry
from tinysns.wire.v1 import log_pb2, sns_pb2


@given(st.lists(COMMANDS, max_size=5), st.integers(0, (1 << 64) - 1))
def test_an_entry_has_all_commands_in_order(commands: list[Command], time: int) -> None:
    assert decode_entry(entry(1, *commands, time_unix_ns=time)[1]) == (time, commands)


@given(st.lists(COMMANDS, max_size=5), st.integers(0, (1 << 64) - 1))
def test_an_entry_of_the_first_release_is_read_as_it_was_written(commands: list[Command], time: int) -> None:
    pieces = [log_pb2.Entry(commands=[command_to_wire(command)]).SerializeToString() for command in commands]
    stamp = log_pb2.Entry(time_unix_ns=time).SerializeToString()
    assert decode_entry(b"".join((*pieces, stamp))) == (time, commands)


def test_an_empty_entry_holds_nothing() -> None:
    assert decode_entry(b"") == (0, [])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff", "cannot be parsed"),
        (log_pb2.Entry(items=[log_pb2.Item(command=b"\xff")]).SerializeToString(), "cannot be parsed"),
        (log_pb2.Entry(items=[log_pb2.Item()]).SerializeToString(), "does not know"),
        (log_pb2.Entry(commands=[sns_pb2.Command(session=1, number=1)]).SerializeToString(), "does not know"),
    ],
)
def test_an_entry_that_cannot_be_applied_is_an_error_and_not_skipped(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableEntry, match=why):
        decode_entry(data)
