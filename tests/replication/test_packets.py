"""Splitting packets of the core."""

from hypothesis import given
from hypothesis import strategies as st

from tinysns.replication.packets import split_packets


def delimited(message: bytes) -> bytes:
    length, prefix = len(message), b""
    while length > 0x7F:
        prefix += bytes((length & 0x7F | 0x80,))
        length >>= 7
    return prefix + bytes((length,)) + message


@given(
    st.lists(st.integers(0, 40_000).map(lambda n: delimited(b"x" * n)), min_size=1, max_size=20), st.integers(1, 50_000)
)
def test_pieces_hold_whole_messages_and_nothing_is_lost(messages: list[bytes], limit: int) -> None:
    pieces = list(split_packets(b"".join(messages), limit))
    assert b"".join(pieces) == b"".join(messages)
    ends = set()
    at = 0
    for message in messages:
        at += len(message)
        ends.add(at)
    at = 0
    for piece in pieces:
        at += len(piece)
        assert at in ends
        assert len(piece) <= limit or piece in messages
