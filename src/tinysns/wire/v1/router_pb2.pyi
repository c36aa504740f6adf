from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Result(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUCCESS: _ClassVar[Result]
    NOT_FOUND: _ClassVar[Result]
    REFUSED: _ClassVar[Result]
SUCCESS: Result
NOT_FOUND: Result
REFUSED: Result

class Message(_message.Message):
    __slots__ = ("text", "state")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    text: str
    state: MasterState
    def __init__(self, text: _Optional[str] = ..., state: _Optional[_Union[MasterState, _Mapping]] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ("result", "msg")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    MSG_FIELD_NUMBER: _ClassVar[int]
    result: Result
    msg: str
    def __init__(self, result: _Optional[_Union[Result, str]] = ..., msg: _Optional[str] = ...) -> None: ...

class MasterState(_message.Message):
    __slots__ = ("name", "incarnation", "serving", "leader", "term", "open_streams", "cluster_id", "rank", "lost_peers")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    OPEN_STREAMS_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    LOST_PEERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    incarnation: int
    serving: bool
    leader: str
    term: int
    open_streams: int
    cluster_id: str
    rank: int
    lost_peers: _containers.RepeatedCompositeFieldContainer[LostPeer]
    def __init__(self, name: _Optional[str] = ..., incarnation: _Optional[int] = ..., serving: _Optional[bool] = ..., leader: _Optional[str] = ..., term: _Optional[int] = ..., open_streams: _Optional[int] = ..., cluster_id: _Optional[str] = ..., rank: _Optional[int] = ..., lost_peers: _Optional[_Iterable[_Union[LostPeer, _Mapping]]] = ...) -> None: ...

class LostPeer(_message.Message):
    __slots__ = ("name", "incarnation")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    incarnation: int
    def __init__(self, name: _Optional[str] = ..., incarnation: _Optional[int] = ...) -> None: ...

class RouteRequest(_message.Message):
    __slots__ = ("stay",)
    STAY_FIELD_NUMBER: _ClassVar[int]
    stay: str
    def __init__(self, stay: _Optional[str] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("primary", "backups", "leader", "term", "routers", "policy", "dead")
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    BACKUPS_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    ROUTERS_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    DEAD_FIELD_NUMBER: _ClassVar[int]
    primary: str
    backups: _containers.RepeatedScalarFieldContainer[str]
    leader: str
    term: int
    routers: _containers.RepeatedScalarFieldContainer[str]
    policy: str
    dead: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, primary: _Optional[str] = ..., backups: _Optional[_Iterable[str]] = ..., leader: _Optional[str] = ..., term: _Optional[int] = ..., routers: _Optional[_Iterable[str]] = ..., policy: _Optional[str] = ..., dead: _Optional[_Iterable[str]] = ...) -> None: ...

class MastersRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Masters(_message.Message):
    __slots__ = ("masters", "router_started_unix_ns", "router_pid", "router_name", "routers")
    MASTERS_FIELD_NUMBER: _ClassVar[int]
    ROUTER_STARTED_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    ROUTER_PID_FIELD_NUMBER: _ClassVar[int]
    ROUTER_NAME_FIELD_NUMBER: _ClassVar[int]
    ROUTERS_FIELD_NUMBER: _ClassVar[int]
    masters: _containers.RepeatedCompositeFieldContainer[KnownMaster]
    router_started_unix_ns: int
    router_pid: int
    router_name: str
    routers: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, masters: _Optional[_Iterable[_Union[KnownMaster, _Mapping]]] = ..., router_started_unix_ns: _Optional[int] = ..., router_pid: _Optional[int] = ..., router_name: _Optional[str] = ..., routers: _Optional[_Iterable[str]] = ...) -> None: ...

class KnownMaster(_message.Message):
    __slots__ = ("address", "state", "connected")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    address: str
    state: MasterState
    connected: bool
    def __init__(self, address: _Optional[str] = ..., state: _Optional[_Union[MasterState, _Mapping]] = ..., connected: _Optional[bool] = ...) -> None: ...
