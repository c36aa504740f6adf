"""What ^I completes in a command line: the names of all users, if the service says them quickly.

A shell waits for this while a person types, so it asks each router once, for a short time, and any trouble means that
nothing is completed. Routers pass the question on to a master.
"""

import contextlib

import click

from tinysns.cli import settings

_ANSWER_SECONDS = 0.2
_MOST = 200  # more help nobody


def users(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For `shell_complete` of an argument that is a user's name."""
    try:
        routers = settings.routers(ctx.params.get("routers") or ())
    except settings.SettingsMissing:
        return []
    return [name for name in _all_users(routers) if name.startswith(incomplete)][:_MOST]


def _all_users(routers: tuple[str, ...]) -> list[str]:
    import grpc

    from tinysns.rpc.channels import target
    from tinysns.wire.csce438.sns_pb2 import MapReply, Request

    with contextlib.ExitStack() as stack:
        answers = []
        for router in routers:
            channel = stack.enter_context(grpc.insecure_channel(target(router), (("grpc.enable_http_proxy", 0),)))
            call = channel.unary_unary(
                "/csce438.SNSService/GetFollowerInfo", Request.SerializeToString, MapReply.FromString
            )
            answers.append(call.future(Request(), timeout=_ANSWER_SECONDS))
        for answer in answers:
            with contextlib.suppress(grpc.RpcError):  # the next router, or nothing
                return sorted(answer.result().info)
    return []
