from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FOLLOWER: _ClassVar[Role]
    PRE_CANDIDATE: _ClassVar[Role]
    CANDIDATE: _ClassVar[Role]
    LEADER: _ClassVar[Role]
FOLLOWER: Role
PRE_CANDIDATE: Role
CANDIDATE: Role
LEADER: Role

class FetchStateRequest(_message.Message):
    __slots__ = ("cluster_id", "at_least_index")
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_INDEX_FIELD_NUMBER: _ClassVar[int]
    cluster_id: str
    at_least_index: int
    def __init__(self, cluster_id: _Optional[str] = ..., at_least_index: _Optional[int] = ...) -> None: ...

class StateChunk(_message.Message):
    __slots__ = ("applied_index", "size_bytes", "data")
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    applied_index: int
    size_bytes: int
    data: bytes
    def __init__(self, applied_index: _Optional[int] = ..., size_bytes: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MasterStatus(_message.Message):
    __slots__ = ("name", "address", "node", "cluster_id", "incarnation", "pid", "serving", "trouble", "role", "leader", "leader_address", "term", "first_index", "last_index", "commit_index", "applied_index", "users", "posts_delivered", "open_streams", "local_reads", "forwarded_writes", "local_writes", "snapshots_installed", "free_bytes", "resident_bytes", "release", "fsync", "started_unix_ns", "free_inodes", "fsyncs", "turns", "wakes", "pending_writes", "fsync_usual_ms", "log_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    TROUBLE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    LEADER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    LAST_INDEX_FIELD_NUMBER: _ClassVar[int]
    COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    POSTS_DELIVERED_FIELD_NUMBER: _ClassVar[int]
    OPEN_STREAMS_FIELD_NUMBER: _ClassVar[int]
    LOCAL_READS_FIELD_NUMBER: _ClassVar[int]
    FORWARDED_WRITES_FIELD_NUMBER: _ClassVar[int]
    LOCAL_WRITES_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOTS_INSTALLED_FIELD_NUMBER: _ClassVar[int]
    FREE_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    FSYNC_FIELD_NUMBER: _ClassVar[int]
    STARTED_UNIX_NS_FIELD_NUMBER: _ClassVar[int]
    FREE_INODES_FIELD_NUMBER: _ClassVar[int]
    FSYNCS_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    WAKES_FIELD_NUMBER: _ClassVar[int]
    PENDING_WRITES_FIELD_NUMBER: _ClassVar[int]
    FSYNC_USUAL_MS_FIELD_NUMBER: _ClassVar[int]
    LOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    address: str
    node: int
    cluster_id: str
    incarnation: int
    pid: int
    serving: bool
    trouble: str
    role: Role
    leader: int
    leader_address: str
    term: int
    first_index: int
    last_index: int
    commit_index: int
    applied_index: int
    users: int
    posts_delivered: int
    open_streams: int
    local_reads: int
    forwarded_writes: int
    local_writes: int
    snapshots_installed: int
    free_bytes: int
    resident_bytes: int
    release: str
    fsync: bool
    started_unix_ns: int
    free_inodes: int
    fsyncs: int
    turns: int
    wakes: int
    pending_writes: int
    fsync_usual_ms: float
    log_bytes: int
    def __init__(self, name: _Optional[str] = ..., address: _Optional[str] = ..., node: _Optional[int] = ..., cluster_id: _Optional[str] = ..., incarnation: _Optional[int] = ..., pid: _Optional[int] = ..., serving: _Optional[bool] = ..., trouble: _Optional[str] = ..., role: _Optional[_Union[Role, str]] = ..., leader: _Optional[int] = ..., leader_address: _Optional[str] = ..., term: _Optional[int] = ..., first_index: _Optional[int] = ..., last_index: _Optional[int] = ..., commit_index: _Optional[int] = ..., applied_index: _Optional[int] = ..., users: _Optional[int] = ..., posts_delivered: _Optional[int] = ..., open_streams: _Optional[int] = ..., local_reads: _Optional[int] = ..., forwarded_writes: _Optional[int] = ..., local_writes: _Optional[int] = ..., snapshots_installed: _Optional[int] = ..., free_bytes: _Optional[int] = ..., resident_bytes: _Optional[int] = ..., release: _Optional[str] = ..., fsync: _Optional[bool] = ..., started_unix_ns: _Optional[int] = ..., free_inodes: _Optional[int] = ..., fsyncs: _Optional[int] = ..., turns: _Optional[int] = ..., wakes: _Optional[int] = ..., pending_writes: _Optional[int] = ..., fsync_usual_ms: _Optional[float] = ..., log_bytes: _Optional[int] = ...) -> None: ...

class DigestRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StateDigest(_message.Message):
    __slots__ = ("applied_index", "sha256")
    APPLIED_INDEX_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    applied_index: int
    sha256: str
    def __init__(self, applied_index: _Optional[int] = ..., sha256: _Optional[str] = ...) -> None: ...

class HandOverRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HandOverReply(_message.Message):
    __slots__ = ("leader", "term")
    LEADER_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    leader: int
    term: int
    def __init__(self, leader: _Optional[int] = ..., term: _Optional[int] = ...) -> None: ...
