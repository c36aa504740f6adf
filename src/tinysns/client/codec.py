"""Between the domain's values and the messages of sns.proto, for the client's side of the wire."""

from dataclasses import dataclass

from tinysns.domain.writes import Answer, Outcome
from tinysns.wire.v1 import sns_pb2


@dataclass(frozen=True, slots=True)
class TimelinePost:
    """A post as a follower gets it. `position` is the cursor behind it; the time is for display, never for order."""

    position: int
    author: str
    text: str
    time_unix_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    """All users, who follows the user (itself included), and whom it follows (itself not included)."""

    users: tuple[str, ...]
    followers: tuple[str, ...]
    following: tuple[str, ...]


def decode_answer(answer: sns_pb2.Answer) -> Answer:
    """Raises ValueError for an outcome that this version does not know."""
    return Answer(Outcome(answer.outcome), answer.position, answer.expected)


def decode_posts(posts: sns_pb2.Posts, after_position: int) -> list[TimelinePost]:
    """The posts behind a position. One message may straddle it: a batch that was sent again after a reconnect."""
    return [
        TimelinePost(p.position, p.author, p.text, p.time_unix_ns) for p in posts.posts if p.position > after_position
    ]


def decode_listing(reply: sns_pb2.ListReply) -> Listing:
    return Listing(tuple(reply.users), tuple(reply.followers), tuple(reply.following))
