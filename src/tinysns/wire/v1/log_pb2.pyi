from tinysns.wire.v1 import sns_pb2 as _sns_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Entry(_message.Message):
    __slots__ = ("commands", "time_unix_ns", "items")
    COMMANDS_FIELD_NUMBER: _ClassVar[int]
    TIME_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    commands: _containers.RepeatedCompositeFieldContainer[_sns_pb2.Command]
    time_unix_ns: int
    items: _containers.RepeatedCompositeFieldContainer[Item]
    def __init__(self, commands: _Optional[_Iterable[_Union[_sns_pb2.Command, _Mapping]]] = ..., time_unix_ns: _Optional[int] = ..., items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("origin", "ticket", "command")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    origin: int
    ticket: int
    command: bytes
    def __init__(self, origin: _Optional[int] = ..., ticket: _Optional[int] = ..., command: _Optional[bytes] = ...) -> None: ...
