"""What a log entry's bytes mean: the codec between the domain's commands and the wire's messages.

Entries are made by joining bytes: serialised messages are one message when put behind one another, repeated fields
growing and the last scalar winning (https://protobuf.dev/programming-guides/encoding/#last-one-wins). So the leader
packs what it and the other masters hold without parsing it.
"""

from google.protobuf.message import DecodeError

from tinysns.domain.names import Refused, check_name, check_texts
from tinysns.domain.writes import Command, Follow, Login, Post, Unfollow, Write
from tinysns.wire.v1 import log_pb2, sns_pb2


class UnreadableEntry(Exception):
    """An entry of the log is not what this version of the program can apply; str() says which and what to do."""


def command_to_wire(command: Command) -> sns_pb2.Command:
    """The message that names and holds this write."""
    session, number = command.session, command.number
    match command.write:
        case Post(author, texts):
            return sns_pb2.Command(session=session, number=number, post=sns_pb2.Post(author=author, texts=texts))
        case Login(user):
            return sns_pb2.Command(session=session, number=number, login=sns_pb2.Login(user=user))
        case Follow(user, target):
            return sns_pb2.Command(session=session, number=number, follow=sns_pb2.Follow(user=user, target=target))
        case Unfollow(user, target):
            return sns_pb2.Command(session=session, number=number, unfollow=sns_pb2.Unfollow(user=user, target=target))


def command_from_wire(message: sns_pb2.Command) -> Command:
    """The door: raises Refused for whatever must not enter the log."""
    if message.session == 0:
        raise Refused("a write needs a session: a random number that is not 0")
    if message.number == 0:
        raise Refused("a write needs a number: 1, 2, 3 and so on within its session")
    write = _write_of(message)
    match write:
        case None:
            raise Refused("the command holds no write; it must be a login, a follow, an unfollow or a post")
        case Post(author, texts):
            check_name(author)
            check_texts(texts)
        case Login(user):
            check_name(user)
        case Follow(user, target) | Unfollow(user, target):
            check_name(user)
            check_name(target)
    return Command(message.session, message.number, write)


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
        write = _write_of(message)
        if write is None:
            # To skip it would make this member's state differ from that of members who know the write.
            raise UnreadableEntry("the log holds a kind of write that this version does not know; upgrade this member")
        commands.append(Command(message.session, message.number, write))
    return entry.time_unix_ns, commands


def _write_of(message: sns_pb2.Command) -> Write | None:
    match message.WhichOneof("write"):
        case "post":
            return Post(message.post.author, tuple(message.post.texts))
        case "login":
            return Login(message.login.user)
        case "follow":
            return Follow(message.follow.user, message.follow.target)
        case "unfollow":
            return Unfollow(message.unfollow.user, message.unfollow.target)
        case _:
            return None
