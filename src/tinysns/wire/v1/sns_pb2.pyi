from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    DONE: _ClassVar[Outcome]
    WELCOME_BACK: _ClassVar[Outcome]
    UNKNOWN_USER: _ClassVar[Outcome]
    ALREADY_FOLLOWING: _ClassVar[Outcome]
    NOT_FOLLOWING: _ClassVar[Outcome]
    INVALID_TARGET: _ClassVar[Outcome]
    GAP: _ClassVar[Outcome]
    SESSION_EXPIRED: _ClassVar[Outcome]
    INVALID: _ClassVar[Outcome]
OUTCOME_UNSPECIFIED: Outcome
DONE: Outcome
WELCOME_BACK: Outcome
UNKNOWN_USER: Outcome
ALREADY_FOLLOWING: Outcome
NOT_FOLLOWING: Outcome
INVALID_TARGET: Outcome
GAP: Outcome
SESSION_EXPIRED: Outcome
INVALID: Outcome

class Command(_message.Message):
    __slots__ = ("session", "number", "login", "follow", "unfollow", "post")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    LOGIN_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    UNFOLLOW_FIELD_NUMBER: _ClassVar[int]
    POST_FIELD_NUMBER: _ClassVar[int]
    session: int
    number: int
    login: Login
    follow: Follow
    unfollow: Unfollow
    post: Post
    def __init__(self, session: _Optional[int] = ..., number: _Optional[int] = ..., login: _Optional[_Union[Login, _Mapping]] = ..., follow: _Optional[_Union[Follow, _Mapping]] = ..., unfollow: _Optional[_Union[Unfollow, _Mapping]] = ..., post: _Optional[_Union[Post, _Mapping]] = ...) -> None: ...

class Login(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: str
    def __init__(self, user: _Optional[str] = ...) -> None: ...

class Follow(_message.Message):
    __slots__ = ("user", "target")
    USER_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    user: str
    target: str
    def __init__(self, user: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class Unfollow(_message.Message):
    __slots__ = ("user", "target")
    USER_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    user: str
    target: str
    def __init__(self, user: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class Post(_message.Message):
    __slots__ = ("author", "texts")
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    author: str
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, author: _Optional[str] = ..., texts: _Optional[_Iterable[str]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("number", "outcome", "position", "expected", "detail")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    number: int
    outcome: Outcome
    position: int
    expected: int
    detail: str
    def __init__(self, number: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., position: _Optional[int] = ..., expected: _Optional[int] = ..., detail: _Optional[str] = ...) -> None: ...

class Answers(_message.Message):
    __slots__ = ("answers",)
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[Answer]
    def __init__(self, answers: _Optional[_Iterable[_Union[Answer, _Mapping]]] = ...) -> None: ...

class TimelineRequest(_message.Message):
    __slots__ = ("user", "after_position", "heartbeat_ms", "until_now", "newest", "backlog")
    USER_FIELD_NUMBER: _ClassVar[int]
    AFTER_POSITION_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_NOW_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_FIELD_NUMBER: _ClassVar[int]
    user: str
    after_position: int
    heartbeat_ms: int
    until_now: bool
    newest: int
    backlog: bool
    def __init__(self, user: _Optional[str] = ..., after_position: _Optional[int] = ..., heartbeat_ms: _Optional[int] = ..., until_now: _Optional[bool] = ..., newest: _Optional[int] = ..., backlog: _Optional[bool] = ...) -> None: ...

class TimelinePost(_message.Message):
    __slots__ = ("position", "author", "text", "time_unix_ns")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    position: int
    author: str
    text: str
    time_unix_ns: int
    def __init__(self, position: _Optional[int] = ..., author: _Optional[str] = ..., text: _Optional[str] = ..., time_unix_ns: _Optional[int] = ...) -> None: ...

class Posts(_message.Message):
    __slots__ = ("posts", "cursor")
    POSTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    posts: _containers.RepeatedCompositeFieldContainer[TimelinePost]
    cursor: int
    def __init__(self, posts: _Optional[_Iterable[_Union[TimelinePost, _Mapping]]] = ..., cursor: _Optional[int] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("user",)
    USER_FIELD_NUMBER: _ClassVar[int]
    user: str
    def __init__(self, user: _Optional[str] = ...) -> None: ...

class ListReply(_message.Message):
    __slots__ = ("users", "followers", "following")
    USERS_FIELD_NUMBER: _ClassVar[int]
    FOLLOWERS_FIELD_NUMBER: _ClassVar[int]
    FOLLOWING_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedScalarFieldContainer[str]
    followers: _containers.RepeatedScalarFieldContainer[str]
    following: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, users: _Optional[_Iterable[str]] = ..., followers: _Optional[_Iterable[str]] = ..., following: _Optional[_Iterable[str]] = ...) -> None: ...
