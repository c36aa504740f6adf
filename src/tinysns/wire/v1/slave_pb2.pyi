from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Heartbeat(_message.Message):
    __slots__ = ("pid", "incarnation", "serving", "trouble", "stuck_seconds")
    PID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    TROUBLE_FIELD_NUMBER: _ClassVar[int]
    STUCK_SECONDS_FIELD_NUMBER: _ClassVar[int]
    pid: int
    incarnation: int
    serving: bool
    trouble: str
    stuck_seconds: float
    def __init__(self, pid: _Optional[int] = ..., incarnation: _Optional[int] = ..., serving: _Optional[bool] = ..., trouble: _Optional[str] = ..., stuck_seconds: _Optional[float] = ...) -> None: ...

class Obituary(_message.Message):
    __slots__ = ("name", "node", "incarnation")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    node: int
    incarnation: int
    def __init__(self, name: _Optional[str] = ..., node: _Optional[int] = ..., incarnation: _Optional[int] = ...) -> None: ...

class AnnounceEnd(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SlaveStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SlaveStatus(_message.Message):
    __slots__ = ("name", "pid", "state", "master_pid", "master_incarnation", "adopted", "restarts", "last_exit", "next_start_in_seconds", "started_unix_ns", "release", "master_trouble")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MASTER_PID_FIELD_NUMBER: _ClassVar[int]
    MASTER_INCARNATION_FIELD_NUMBER: _ClassVar[int]
    ADOPTED_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    LAST_EXIT_FIELD_NUMBER: _ClassVar[int]
    NEXT_START_IN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    STARTED_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    MASTER_TROUBLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    pid: int
    state: str
    master_pid: int
    master_incarnation: int
    adopted: bool
    restarts: int
    last_exit: str
    next_start_in_seconds: float
    started_unix_ns: int
    release: str
    master_trouble: str
    def __init__(self, name: _Optional[str] = ..., pid: _Optional[int] = ..., state: _Optional[str] = ..., master_pid: _Optional[int] = ..., master_incarnation: _Optional[int] = ..., adopted: _Optional[bool] = ..., restarts: _Optional[int] = ..., last_exit: _Optional[str] = ..., next_start_in_seconds: _Optional[float] = ..., started_unix_ns: _Optional[int] = ..., release: _Optional[str] = ..., master_trouble: _Optional[str] = ...) -> None: ...
