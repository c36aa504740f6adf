"""The calls that the client makes, each with its types; the generated stubs have none."""

from __future__ import annotations

from google.protobuf.message import Message
from grpc.aio import Channel, StreamStreamMultiCallable, UnaryStreamMultiCallable, UnaryUnaryMultiCallable

from tinysns.wire.v1.master_pb2 import (
    DigestRequest,
    HandOverReply,
    HandOverRequest,
    MasterStatus,
    StateDigest,
    StatusRequest,
)
from tinysns.wire.v1.router_pb2 import Masters, MastersRequest, Route, RouteRequest
from tinysns.wire.v1.slave_pb2 import SlaveStatus, SlaveStatusRequest
from tinysns.wire.v1.sns_pb2 import Answers, Command, ListReply, ListRequest, Posts, TimelineRequest


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def write(channel: Channel) -> StreamStreamMultiCallable[Command, Answers]:
    return channel.stream_stream("/tinysns.v1.Sns/Write", _serialize, Answers.FromString)


def timeline(channel: Channel) -> UnaryStreamMultiCallable[TimelineRequest, Posts]:
    return channel.unary_stream("/tinysns.v1.Sns/Timeline", _serialize, Posts.FromString)


def list_users(channel: Channel) -> UnaryUnaryMultiCallable[ListRequest, ListReply]:
    return channel.unary_unary("/tinysns.v1.Sns/List", _serialize, ListReply.FromString)


def route(channel: Channel) -> UnaryUnaryMultiCallable[RouteRequest, Route]:
    return channel.unary_unary("/tinysns.v1.Router/GetRoute", _serialize, Route.FromString)


def watch_route(channel: Channel) -> UnaryStreamMultiCallable[RouteRequest, Route]:
    return channel.unary_stream("/tinysns.v1.Router/Watch", _serialize, Route.FromString)


def known_masters(channel: Channel) -> UnaryUnaryMultiCallable[MastersRequest, Masters]:
    return channel.unary_unary("/tinysns.v1.Router/GetMasters", _serialize, Masters.FromString)


def master_status(channel: Channel) -> UnaryUnaryMultiCallable[StatusRequest, MasterStatus]:
    return channel.unary_unary("/tinysns.v1.Master/GetStatus", _serialize, MasterStatus.FromString)


def master_digest(channel: Channel) -> UnaryUnaryMultiCallable[DigestRequest, StateDigest]:
    return channel.unary_unary("/tinysns.v1.Master/GetDigest", _serialize, StateDigest.FromString)


def hand_over(channel: Channel) -> UnaryUnaryMultiCallable[HandOverRequest, HandOverReply]:
    return channel.unary_unary("/tinysns.v1.Master/HandOver", _serialize, HandOverReply.FromString)


def slave_status(channel: Channel) -> UnaryUnaryMultiCallable[SlaveStatusRequest, SlaveStatus]:
    return channel.unary_unary("/tinysns.v1.Slave/GetStatus", _serialize, SlaveStatus.FromString)


def health(channel: Channel) -> UnaryUnaryMultiCallable[bytes, bytes]:
    """grpc.health.v1: the empty request asks for the whole server. In bytes, because only "it answered" counts here."""
    return channel.unary_unary("/grpc.health.v1.Health/Check")
