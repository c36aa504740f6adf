from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Message(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Response(_message.Message):
    __slots__ = ("result", "msg")
    class Result(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SUCCESS: _ClassVar[Response.Result]
        FAILURE: _ClassVar[Response.Result]
    SUCCESS: Response.Result
    FAILURE: Response.Result
    RESULT_FIELD_NUMBER: _ClassVar[int]
    MSG_FIELD_NUMBER: _ClassVar[int]
    result: Response.Result
    msg: str
    def __init__(self, result: _Optional[_Union[Response.Result, str]] = ..., msg: _Optional[str] = ...) -> None: ...
