"""Posts on their way to readers: serialised at most once for each interface, however many timelines they go to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

from tinysns.storage.reader import StoredPost
from tinysns.wire.v1 import sns_pb2

# The most that goes in one message, and so what a slow reader has to take at once.
BATCH_BYTES = 256 * 1024
# What a post costs beside its text, roughly: the objects that hold it.
_OVERHEAD_BYTES = 96


def weight_bytes(text: str) -> int:
    """About what a post of this text occupies in a queue."""
    return _OVERHEAD_BYTES + len(text)


class Batch:
    """Some posts in log order, never none; shared by all timelines that send them, so no post changes."""

    def __init__(self, posts: Sequence[StoredPost]) -> None:
        self.posts = posts
        self.first_position = posts[0].position
        self.last_position = posts[-1].position
        self.weight_bytes = sum(weight_bytes(post.text) for post in posts)
        self._serialised: dict[Callable[[StoredPost], bytes], tuple[bytes, ...]] = {}

    def after(self, position: int) -> "Batch | None":
        """What lies behind `position`; None if that is nothing."""
        if position < self.first_position:
            return self
        if position >= self.last_position:
            return None
        return Batch([post for post in self.posts if post.position > position])

    @cached_property
    def native(self) -> bytes:
        """A serialised tinysns.v1.Posts. Several of them, joined, are one message with the posts of all."""
        return sns_pb2.Posts(
            posts=[
                sns_pb2.TimelinePost(
                    position=post.position, author=post.author, text=post.text, time_unix_ns=post.time_unix_ns
                )
                for post in self.posts
            ]
        ).SerializeToString()

    def serialised(self, message_of: Callable[[StoredPost], bytes]) -> tuple[bytes, ...]:
        """A message for each post, made at most once for each function that makes them."""
        if (messages := self._serialised.get(message_of)) is None:
            messages = self._serialised[message_of] = tuple(map(message_of, self.posts))
        return messages


def split(posts: Iterable[StoredPost]) -> Iterator[Batch]:
    """Batches of about BATCH_BYTES at most."""
    chunk: list[StoredPost] = []
    size = 0
    for post in posts:
        weight = weight_bytes(post.text)
        if chunk and size + weight > BATCH_BYTES:
            yield Batch(chunk)
            chunk, size = [], 0
        chunk.append(post)
        size += weight
    if chunk:
        yield Batch(chunk)
