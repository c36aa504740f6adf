import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListReply(_message.Message):
    __slots__ = ("all_users", "followers")
    ALL_USERS_FIELD_NUMBER: _ClassVar[int]
    FOLLOWERS_FIELD_NUMBER: _ClassVar[int]
    all_users: _containers.RepeatedScalarFieldContainer[str]
    followers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, all_users: _Optional[_Iterable[str]] = ..., followers: _Optional[_Iterable[str]] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("username", "arguments")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    username: str
    arguments: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, username: _Optional[str] = ..., arguments: _Optional[_Iterable[str]] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("msg",)
    MSG_FIELD_NUMBER: _ClassVar[int]
    msg: str
    def __init__(self, msg: _Optional[str] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("username", "msg", "timestamp")
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    MSG_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    username: str
    msg: str
    timestamp: _timestamp_pb2.Timestamp
    def __init__(self, username: _Optional[str] = ..., msg: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
