"""What a log entry's bytes mean.

Entries are made by joining bytes: serialised messages are one message when put behind one another, repeated fields
growing and the last scalar winning (https://protobuf.dev/programming-guides/encoding/#last-one-wins). So the leader
packs what it and the other masters hold without parsing it.
"""

from google.protobuf.message import DecodeError

from tinysns.codec import command_to_wire, write_from_wire
from tinysns.domain.writes import Command
from tinysns.wire.v1 import log_pb2


class UnreadableEntry(Exception):
    """An entry of the log is not what this version of the program can apply; str() says which and what to do."""


def encode_command(command: Command) -> bytes:
    """An entry with just this command and no time; join several, and `stamp`, to one entry."""
    return log_pb2.Entry(commands=(command_to_wire(command),)).SerializeToString()


def stamp(time_unix_ns: int) -> bytes:
    """An entry with just a time; join it to commands."""
    return log_pb2.Entry(time_unix_ns=time_unix_ns).SerializeToString()


def decode_entry(data: bytes) -> tuple[int, list[Command]]:
    """The leader's time (Unix, ns) and the commands of an entry, unchecked. Raises UnreadableEntry."""
    try:
        entry = log_pb2.Entry.FromString(data)
    except DecodeError as error:
        raise UnreadableEntry(f"an entry of the log cannot be parsed ({error}); rebuild this member's disk") from error
    commands = []
    for message in entry.commands:
        write = write_from_wire(message)
        if write is None:
            # To skip it would make this member's state differ from that of members who know the write.
            raise UnreadableEntry("the log holds a kind of write that this version does not know; upgrade this member")
        commands.append(Command(message.session, message.number, write))
    return entry.time_unix_ns, commands
