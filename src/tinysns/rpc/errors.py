"""Errors on the wire: a gRPC status with google.rpc.ErrorInfo beside it, so that a client can tell what to do.

Each failure is definite (the call had no effect) or indefinite (it may have had one); clients retry an indefinite write
only with the same session and number.
"""

from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

DOMAIN = "tinysns"
DEFINITE, INDEFINITE = "definite", "indefinite"


class CallFailed(Exception):
    """The call ends with this status; `reason` is for programs, str() is the one sentence for people."""

    def __init__(self, code: grpc.StatusCode, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.reason = reason


async def abort(
    context: "grpc.aio.ServicerContext[Any, Any]",
    code: grpc.StatusCode,
    reason: str,
    sentence: str,
    *,
    definite: bool = True,
) -> NoReturn:
    """Ends the call. `reason`: UPPER_CASE, for programs; `sentence`: for people."""
    detail = any_pb2.Any()
    effect = DEFINITE if definite else INDEFINITE
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata={"effect": effect}))
    status = status_pb2.Status(code=code.value[0], message=sentence, details=[detail])
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort_with_status does not return")


def info(error: grpc.aio.AioRpcError) -> tuple[str, bool]:
    """(reason, definite) of a failed call. An error that is not ours is indefinite, when in doubt."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            raw = value if isinstance(value, bytes) else value.encode()
            for detail in status_pb2.Status.FromString(raw).details:
                found = error_details_pb2.ErrorInfo()
                if detail.Unpack(found) and found.domain == DOMAIN:
                    return found.reason, found.metadata.get("effect") == DEFINITE
    return error.code().name, False
