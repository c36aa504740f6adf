"""What may be said on a timeline stream of the course: how it opens, what a post may be, how much a new reader gets."""

import grpc

from tinysns.course.interfaces import Interface
from tinysns.domain.names import check_texts
from tinysns.rpc.errors import CallFailed
from tinysns.rpc.raw import parse

SET_STREAM = "Set Stream"
BACKLOG_POSTS = 20
"""Sent first, newest first; then what is new, oldest first."""


def opening_user(interface: Interface, raw: bytes | None) -> str:
    """The user whose timeline the first message opens. `raw`: None if there was none. Raises CallFailed."""
    if raw is not None:
        first = parse(interface.message, raw)
        if first.msg == SET_STREAM:
            return first.username
    raise CallFailed(
        grpc.StatusCode.INVALID_ARGUMENT,
        "WRONG_FIRST_MESSAGE",
        f'the first message on a timeline must be {{username, msg: "{SET_STREAM}"}}, without a newline',
    )


def text_of_post(interface: Interface, user: str, raw: bytes) -> str:
    """The text of any later message on the timeline of `user`, as the state holds it. Raises CallFailed, Refused."""
    message = parse(interface.message, raw)
    if message.username != user:
        raise CallFailed(
            grpc.StatusCode.INVALID_ARGUMENT,
            "OTHER_USER",
            f"this stream posts as {user}; open another timeline to post as {message.username[:80]!r}",
        )
    text = message.msg + interface.line_end
    check_texts((text,))
    return text
