"""What the bytes mean that the log holds.

A command enters the log as the bytes of `encode_command`. The native member packs them into entries, as items of which
it knows only who took them, and stamps the leader's time on each entry (log.proto). Entries of release 0.1.0, which a
log may still hold, have the commands themselves.
"""

from google.protobuf.message import DecodeError

from tinysns.codec import command_to_wire, write_from_wire
from tinysns.domain.writes import Command
from tinysns.wire.v1 import log_pb2, sns_pb2


class UnreadableEntry(Exception):
    """An entry of the log is not what this version of the program can apply; str() says which and what to do."""


def encode_command(command: Command) -> bytes:
    """The command as it is proposed."""
    return command_to_wire(command).SerializeToString()


def decode_entry(data: bytes) -> tuple[int, list[Command]]:
    """The leader's time (Unix, ns) and the commands of an entry, unchecked. Raises UnreadableEntry."""
    try:
        entry = log_pb2.Entry.FromString(data)
        messages = [*entry.commands, *(sns_pb2.Command.FromString(item.command) for item in entry.items)]
    except DecodeError as error:
        raise UnreadableEntry(f"an entry of the log cannot be parsed ({error}); rebuild this member's disk") from error
    commands = []
    for message in messages:
        write = write_from_wire(message)
        if write is None:
            # To skip it would make this member's state differ from that of members who know the write.
            raise UnreadableEntry("the log holds a kind of write that this version does not know; upgrade this member")
        commands.append(Command(message.session, message.number, write))
    return entry.time_unix_ns, commands
