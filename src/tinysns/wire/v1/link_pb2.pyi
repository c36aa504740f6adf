from tinysns.wire.v1 import log_pb2 as _log_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LinkFrame(_message.Message):
    __slots__ = ("hello", "raft", "forward", "log_end", "pulse")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    RAFT_FIELD_NUMBER: _ClassVar[int]
    FORWARD_FIELD_NUMBER: _ClassVar[int]
    LOG_END_FIELD_NUMBER: _ClassVar[int]
    PULSE_FIELD_NUMBER: _ClassVar[int]
    hello: LinkHello
    raft: bytes
    forward: LinkForward
    log_end: LinkLogEnd
    pulse: LinkPulse
    def __init__(self, hello: _Optional[_Union[LinkHello, _Mapping]] = ..., raft: _Optional[bytes] = ..., forward: _Optional[_Union[LinkForward, _Mapping]] = ..., log_end: _Optional[_Union[LinkLogEnd, _Mapping]] = ..., pulse: _Optional[_Union[LinkPulse, _Mapping]] = ...) -> None: ...

class LinkHello(_message.Message):
    __slots__ = ("cluster_id", "node", "incarnation", "format", "purpose")
    class Purpose(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        LINK: _ClassVar[LinkHello.Purpose]
        LIFELINE: _ClassVar[LinkHello.Purpose]
    LINK: LinkHello.Purpose
    LIFELINE: LinkHello.Purpose
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    node: int
    incarnation: int
    format: int
    purpose: LinkHello.Purpose
    def __init__(self, cluster_id: _Optional[str] = ..., node: _Optional[int] = ..., incarnation: _Optional[int] = ..., format: _Optional[int] = ..., purpose: _Optional[_Union[LinkHello.Purpose, str]] = ...) -> None: ...

class LinkForward(_message.Message):
    __slots__ = ("term", "items")
    TERM_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    term: int
    items: _containers.RepeatedCompositeFieldContainer[_log_pb2.Item]
    def __init__(self, term: _Optional[int] = ..., items: _Optional[_Iterable[_Union[_log_pb2.Item, _Mapping]]] = ...) -> None: ...

class LinkLogEnd(_message.Message):
    __slots__ = ("lost_leader", "lost_term", "last_term", "last_index")
    LOST_LEADER_FIELD_NUMBER: _ClassVar[int]
    LOST_TERM_FIELD_NUMBER: _ClassVar[int]
    LAST_TERM_FIELD_NUMBER: _ClassVar[int]
    LAST_INDEX_FIELD_NUMBER: _ClassVar[int]
    lost_leader: int
    lost_term: int
    last_term: int
    last_index: int
    def __init__(self, lost_leader: _Optional[int] = ..., lost_term: _Optional[int] = ..., last_term: _Optional[int] = ..., last_index: _Optional[int] = ...) -> None: ...

class LinkPulse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
