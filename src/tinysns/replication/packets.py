"""Packets of the core are length-delimited messages, one behind the other: they can be joined, and split again."""

from collections.abc import Iterator


def split_packets(packets: bytes, limit_bytes: int) -> Iterator[bytes]:
    """Pieces of at most `limit_bytes`, each of whole messages (a larger single message is a piece of its own)."""
    if len(packets) <= limit_bytes:
        yield packets
        return
    start = end = 0
    while end < len(packets):
        next_end = _message_end(packets, end)
        if next_end - start > limit_bytes and end > start:
            yield packets[start:end]
            start = end
        end = next_end
    yield packets[start:end]


def _message_end(packets: bytes, at: int) -> int:
    """Where the message that begins at `at` ends: a varint length (protobuf encoding), then the message."""
    length = shift = 0
    while True:
        byte = packets[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return at + length
