"""What the interfaces of the course call the same things: all that tells one from another."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

from google.protobuf.message import Message

from tinysns.course.texts import FALL2023, MESSENGER, UNFOLLOW, Dialect
from tinysns.wire.csce438 import sns_pb2
from tinysns.wire.csce662 import sns_pb2 as sns662_pb2
from tinysns.wire.hw2 import messenger_pb2
from tinysns.wire.hw4 import messenger_pb2 as messenger4_pb2

# Those of one name have one wire form.
Request: TypeAlias = sns_pb2.Request | sns662_pb2.Request | messenger_pb2.Request | messenger4_pb2.Request
Reply: TypeAlias = sns_pb2.Reply | sns662_pb2.Reply | messenger_pb2.Reply | messenger4_pb2.Reply
PostMessage: TypeAlias = sns_pb2.Message | sns662_pb2.Message | messenger_pb2.Message | messenger4_pb2.Message


class Post(Protocol):
    """What a message needs of a post."""

    @property
    def author(self) -> str: ...

    @property
    def text(self) -> str: ...

    @property
    def time_unix_ns(self) -> int: ...


class Lists(Protocol):
    """What an answer to List needs: sorted names; `followers` has the user itself, `following` has not."""

    @property
    def users(self) -> Sequence[str]: ...

    @property
    def followers(self) -> Sequence[str]: ...

    @property
    def following(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Interface:
    """One interface. Login and List have the same name in each."""

    service: str
    """full name of the gRPC service"""
    follow: str
    unfollows: Mapping[str, Dialect]
    """each name of the method, with the words of those who call it so"""
    timeline: str
    follower_info: str | None
    """None: it has no such method"""
    ping: str | None
    """None: it has no such method"""
    request: type[Request]
    reply: type[Reply]
    message: type[PostMessage]
    list_reply: Callable[[str, Lists], Message]
    """of a user and its lists"""
    line_end: str
    """what ends a post in the state, and is not in the messages of this interface"""
    texts: Dialect
    """of all that is said but by `unfollows`"""

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of its unary methods that change nothing."""
        return ("List", *(name for name in (self.follower_info, self.ping) if name is not None))

    @property
    def writes(self) -> tuple[str, ...]:
        """The names of its other unary methods."""
        return ("Login", self.follow, *self.unfollows)

    def message_of(self, post: Post) -> bytes:
        """A serialised message."""
        message = self.message(username=post.author, msg=post.text.removesuffix(self.line_end))
        message.timestamp.FromNanoseconds(post.time_unix_ns)
        return message.SerializeToString()


def sns_service(texts: Dialect) -> Interface:
    """csce438.SNSService. Its clients send a post with the newline that was typed, and get it so."""
    return Interface(
        service=sns_pb2.DESCRIPTOR.services_by_name["SNSService"].full_name,
        follow="Follow",
        unfollows={"UnFollow": texts, "Unfollow": UNFOLLOW},
        timeline="Timeline",
        follower_info="GetFollowerInfo",
        ping="Ping",
        request=sns_pb2.Request,
        reply=sns_pb2.Reply,
        message=sns_pb2.Message,
        list_reply=lambda _, lists: sns_pb2.ListReply(all_users=lists.users, followers=lists.followers),
        line_end="",
        texts=texts,
    )


CSCE662 = replace(
    sns_service(FALL2023),
    service=sns662_pb2.DESCRIPTOR.services_by_name["SNSService"].full_name,
    unfollows={"UnFollow": FALL2023},
    follower_info=None,
    ping=None,
    request=sns662_pb2.Request,
    reply=sns662_pb2.Reply,
    message=sns662_pb2.Message,
    list_reply=lambda _, lists: sns662_pb2.ListReply(all_users=lists.users, followers=lists.followers),
)
"""csce662.SNSService: csce438.SNSService under the other number of the course. Its clients speak of the year 2023."""

MESSENGER_SERVER = Interface(
    service=messenger_pb2.DESCRIPTOR.services_by_name["MessengerServer"].full_name,
    follow="Join",
    unfollows={"Leave": MESSENGER},
    timeline="Chat",
    follower_info=None,
    ping=None,
    request=messenger_pb2.Request,
    reply=messenger_pb2.Reply,
    message=messenger_pb2.Message,
    list_reply=lambda user, lists: messenger_pb2.ListReply(
        all_rooms=lists.users, joined_rooms=sorted((*lists.following, user))
    ),
    line_end="\n",
    texts=MESSENGER,
)
"""hw2.MessengerServer. Its clients send and get a line without its end; an empty one is a post like any other."""

HW4 = replace(
    MESSENGER_SERVER,
    service=messenger4_pb2.DESCRIPTOR.services_by_name["MessengerServer"].full_name,
    request=messenger4_pb2.Request,
    reply=messenger4_pb2.Reply,
    message=messenger4_pb2.Message,
    list_reply=lambda user, lists: messenger4_pb2.ListReply(
        all_rooms=lists.users, joined_rooms=sorted((*lists.following, user))
    ),
)
"""hw4.MessengerServer: hw2.MessengerServer under another package."""


def interfaces(texts: Dialect) -> tuple[Interface, ...]:
    """All that are served. `texts`: the words of csce438.SNSService; each of the others has its own."""
    return (sns_service(texts), CSCE662, MESSENGER_SERVER, HW4)
