"""Reasons: why a process did not answer, in words for people who need not know gRPC."""

import grpc

NO_ANSWER = "no answer in time"


def reason(error: grpc.aio.AioRpcError) -> str:
    """To be put behind the address that was asked."""
    details = error.details() or ""
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED or "timed out" in details:
        return NO_ANSWER
    if "refused" in details:
        return "nothing listens there"
    if "unreachable" in details.lower() or "No route" in details:
        return "this machine has no way to that address"
    if error.code() is grpc.StatusCode.UNIMPLEMENTED or "HTTP/2" in details:
        return "what listens there does not know this call, is it the right port?"
    return details or error.code().name
