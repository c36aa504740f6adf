"""Channels: how every process of ours connects to another one.

gRPC's own reconnect back-off cannot go below 100 ms. On "it is back", or when a stream fell silent, close the channel
and open a new one (4-5 ms): with a pool of its own a new channel is a new connection.
"""

from collections.abc import Sequence
from typing import TypeAlias

import grpc

Options: TypeAlias = Sequence[tuple[str, int]]

MAX_MESSAGE_BYTES = 4 * 1024 * 1024  # both sides refuse longer ones

_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),  # really the limit of one connection attempt
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.enable_http_proxy", 0),
)

# For whoever passes messages on from the fast to the slow: what is on its way to a stopped reader stays at 64 KiB for
# each stream. By default gRPC lets that grow with the throughput, to several MiB on a fast network.
SMALL_WINDOWS: Options = (("grpc.http2.bdp_probe", 0),)
# The same for channels that carry thousands of calls: gRPC's own retries, which nobody here uses, cost 6 KiB for each.
MANY_CALLS: Options = (*SMALL_WINDOWS, ("grpc.enable_retries", 0))


def target(address: str) -> str:
    """The gRPC target for "10.0.0.1:3011": literal, so that nothing is looked up during a failover."""
    return address if address.startswith(("unix:", "ipv4:", "ipv6:")) else f"ipv4:{address}"


def open_channel(address: str, options: Options = ()) -> grpc.aio.Channel:
    """A channel to a literal address; it connects when first used (or on get_state(try_to_connect=True))."""
    return grpc.aio.insecure_channel(target(address), options=(*_OPTIONS, *options))
