"""Commands on the wire: between the domain's values and the messages of sns.proto, the same for both sides of a call.

On a floor of its own, because the client and the storage of a master both need it and know nothing of each other.
"""

from tinysns.domain.names import Refused
from tinysns.domain.writes import Command, Follow, Login, Post, Unfollow, Write, check_write
from tinysns.wire.v1 import sns_pb2


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
    write = write_from_wire(message)
    if write is None:
        raise Refused("the command holds no write; it must be a login, a follow, an unfollow or a post")
    check_write(write)
    return Command(message.session, message.number, write)


def write_from_wire(message: sns_pb2.Command) -> Write | None:
    """Unchecked; None: a kind of write that this version does not know."""
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
