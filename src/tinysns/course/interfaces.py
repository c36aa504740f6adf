"""What the interfaces of the course call the same things: all that tells one from another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.message import Message

from tinysns.course.texts import MESSENGER, Dialect
from tinysns.wire.csce438 import sns_pb2
from tinysns.wire.hw2 import messenger_pb2


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
    unfollow: str
    timeline: str
    follower_info: str | None
    """None: it has no such method"""
    request: type[sns_pb2.Request | messenger_pb2.Request]
    reply: type[sns_pb2.Reply | messenger_pb2.Reply]
    message: type[sns_pb2.Message | messenger_pb2.Message]
    list_reply: Callable[[str, Lists], Message]
    """of a user and its lists"""
    line_end: str
    """what ends a post in the state, and is not in the messages of this interface"""
    texts: Dialect

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
        unfollow="UnFollow",
        timeline="Timeline",
        follower_info="GetFollowerInfo",
        request=sns_pb2.Request,
        reply=sns_pb2.Reply,
        message=sns_pb2.Message,
        list_reply=lambda _, lists: sns_pb2.ListReply(all_users=lists.users, followers=lists.followers),
        line_end="",
        texts=texts,
    )


MESSENGER_SERVER = Interface(
    service=messenger_pb2.DESCRIPTOR.services_by_name["MessengerServer"].full_name,
    follow="Join",
    unfollow="Leave",
    timeline="Chat",
    follower_info=None,
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
