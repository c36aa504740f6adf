"""What clients see of some users on every master, against a model of what they must see."""

import asyncio

import grpc

from tests.client.model import Model
from tests.integration.service import HOWEVER_SLOW, Service
from tinysns.client import Client
from tinysns.wire.csce438 import sns_pb2, sns_pb2_grpc


async def judge(service: Service, model: Model, tag: str) -> None:
    """`tag`: what the names of the model's users begin with, and no others. Nothing is read from any file."""
    await service.leader()
    users = sorted(model.users)
    async with Client([service.router], limits=HOWEVER_SLOW) as client:
        for address in service.masters.values():
            histories = await asyncio.gather(*(client.history(user, only=[address]) for user in users))
            for user, history in zip(users, histories, strict=True):
                positions = [post.position for post in history]
                assert positions == sorted(set(positions))
                expected = [post.text for post in model.timeline(user, 0, 1 << 30)]
                assert [post.text for post in history] == expected, f"the timeline of {user} at {address}"
            await _judge_follows(address, model, users, tag)
    await service.digests_agree()


async def _judge_follows(address: str, model: Model, users: list[str], tag: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = sns_pb2_grpc.SNSServiceStub(channel)
        info = (await stub.GetFollowerInfo(sns_pb2.Request(), timeout=60)).info
        for user in users:
            listing = await stub.List(sns_pb2.Request(username=user), timeout=60)
            right = model.listing(user)
            assert [name for name in listing.all_users if name.startswith(tag)] == list(right.users)
            assert list(listing.followers) == list(right.followers), f"the followers of {user} at {address}"
            following = sorted({user, *right.following})
            assert info[user] == f"followers: {', '.join(right.followers)}; following: {', '.join(following)}"
