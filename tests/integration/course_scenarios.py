"""What users of the course's interfaces do and have to see, at whatever address answers them: a master, or port 3010.

Each scenario takes `prefix`, which makes its users' names its own, so that many can run on one service.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import grpc

from tests.course_replies import CASES, REPLIES
from tests.integration.course_clients import MESSENGER, SNS, Interface, User

BACKLOG_POSTS = 20


@asynccontextmanager
async def users(interface: Interface, address: str, *names: str) -> AsyncIterator[list[User]]:
    """Logged in."""
    async with AsyncExitStack() as stack:
        made = []
        for name in names:
            user = User(interface, address, name)
            stack.push_async_callback(user.close)
            await user.login()
            made.append(user)
        yield made


async def reply_table(interface: Interface, dialect: str, address: str, prefix: str) -> None:
    """Every reply, word for word."""
    names = {"Follow": interface.follow, "UnFollow": interface.unfollow}
    for number, case in enumerate(CASES):
        own = f"{prefix}{number}"
        async with users(interface, address, *(own + name for name in ("ann", "bob", "cem"))) as (ann, _, _):
            await ann.follow(own + "bob")
            caller = User(interface, address, case.user.format(own))
            reply = await caller.call(names.get(case.call, case.call), *(a.format(own) for a in case.arguments))
            await caller.close()
        assert reply.msg == REPLIES[dialect][case.reply].format(caller.name), case


async def backlog(interface: Interface, address: str, prefix: str) -> None:
    """The last 20, newest first; who followed later sees fewer, none from before the follow; then live."""
    names = [prefix + name for name in ("author", "early", "late")]
    async with users(interface, address, *names) as (author, early, late):
        await early.follow(author.name)
        await author.post(*(f"p{i}" for i in range(25)), seen_by=early)
        await late.follow(author.name)
        await author.post("p25", "p26", "p27", seen_by=early)
        async with early.timeline() as seen_early, late.timeline() as seen_late, author.timeline() as own:
            assert await seen_early.read(BACKLOG_POSTS) == [(author.name, f"p{i}") for i in range(27, 7, -1)]
            assert await seen_late.read(3) == [(author.name, f"p{i}") for i in (27, 26, 25)]
            await own.type("live")
            assert await seen_early.read(1) == await seen_late.read(1) == [(author.name, "live")]
            # No echo: the first thing that the author sees is somebody else's.
            await author.follow(early.name)
            await seen_early.type("an answer")
            assert await own.read(1) == [(early.name, "an answer")]


async def ten_live(interface: Interface, address: str, prefix: str, posts_each: int = 10) -> None:
    """All follow all: each sees every post of the others once, in an order that all agree on, and none of its own."""
    names = [f"{prefix}u{i}" for i in range(10)]
    async with users(interface, address, *names) as everybody, AsyncExitStack() as stack:
        for user in everybody:
            for name in names:
                if name != user.name:
                    await user.follow(name)
        streams = [await stack.enter_async_context(user.timeline()) for user in everybody]
        for n in range(posts_each):
            await asyncio.gather(*(stream.type(f"{n}") for stream in streams))
        seen = await asyncio.gather(*(stream.read(9 * posts_each) for stream in streams))
        for name, posts in zip(names, seen, strict=True):
            for other in names:
                expected = [] if other == name else [str(n) for n in range(posts_each)]
                assert [text for author, text in posts if author == other] == expected
            both = (name, names[0])
            assert [p for p in posts if p[0] not in both] == [p for p in seen[0] if p[0] not in both]


async def two_interfaces(first: str, second: str, prefix: str) -> None:
    """A user of 2019 at one address and a user of 2017 at another one: lists, history and live posts are the same."""
    new_name, old_name = f"{prefix}new", f"{prefix}old"
    async with users(SNS, first, new_name) as (new,), users(MESSENGER, second, old_name) as (old,):
        assert await new.follow(old_name) == "Follow Successful"
        assert await old.follow(new_name) == "Join Successful"
        assert await old.follow(new_name) == "Join Failed -- Already Following User"
        everybody, followers = await new.list()
        assert {new_name, old_name} <= set(everybody)
        assert followers == sorted((new_name, old_name))
        everybody, joined = await old.list()
        assert {new_name, old_name} <= set(everybody)
        assert joined == sorted((new_name, old_name))
        await new.post("before", seen_by=old)
        async with new.timeline() as newer, old.timeline() as older:
            assert await older.read(1) == [(new_name, "before")]
            await newer.type("hello")
            assert await older.read(1) == [(new_name, "hello")]
            await older.type("hello yourself", "Set Stream")
            assert await newer.read(2) == [(old_name, "hello yourself"), (old_name, "Set Stream")]
        assert await new.unfollow(old_name) == "UnFollow Successful"
        assert await old.unfollow(new_name) == "Leave Successful"
        assert await old.unfollow(new_name) == "Leave Failed -- Not Following User"


async def refusals(interface: Interface, address: str, prefix: str) -> None:
    """No first message, an unknown user, another user's message; the users' other calls go on."""
    async with users(interface, address, prefix + "ann", prefix + "bob") as (ann, bob):
        stream = ann.stream()
        await stream.call.done_writing()
        await _ends(stream.failure(), grpc.StatusCode.INVALID_ARGUMENT, "username of its reader")
        for name in (prefix + "nobody", "no name!", ""):
            nobody = User(interface, address, name)
            stream = nobody.stream()
            await stream.write("Set Stream")
            await _ends(stream.failure(), grpc.StatusCode.NOT_FOUND, repr(name), "log in")
            await nobody.close()
        await bob.follow(ann.name)
        async with ann.timeline() as stream, bob.timeline() as reader:
            await stream.type("before")
            await stream.write("as somebody else", bob.name)
            await _ends(stream.failure(), grpc.StatusCode.INVALID_ARGUMENT, ann.name, bob.name)
            await ann.post("after", seen_by=bob)
            assert await reader.read(2) == [(ann.name, "before"), (ann.name, "after")]


async def set_stream_as_a_post(address: str, prefix: str) -> None:
    """Who types Set Stream in timeline mode sends it with the newline: a post like any other."""
    async with users(SNS, address, prefix + "ann", prefix + "bob") as (ann, bob):
        await bob.follow(ann.name)
        async with ann.timeline() as stream, bob.timeline() as reader:
            await stream.write("Set Stream\n")
            assert await reader.read(1) == [(ann.name, "Set Stream")]


async def limits(interface: Interface, address: str, prefix: str) -> None:
    """Names and texts up to their limits, and one more."""
    longest = prefix.ljust(64, "x")
    async with users(interface, address, longest, prefix + "A_b-9.z") as (author, reader):
        assert await author.login() == f"Welcome Back {longest}"
        await reader.follow(longest)
        room = 65_536 - len(interface.line_end)
        async with author.timeline() as stream, reader.timeline() as seen:
            await stream.type("x" * room, "ä" * (room // 2))
            assert await seen.read(2) == [(longest, "x" * room), (longest, "ä" * (room // 2))]
            await stream.type("x" * 65_537)
            await _ends(stream.failure(), grpc.StatusCode.INVALID_ARGUMENT, "1 to 65536 bytes")
            await author.post("goes on", seen_by=reader)
            assert await seen.read(1) == [(longest, "goes on")]


async def before_a_restart(interface: Interface, address: str, prefix: str) -> None:
    """Leaves something behind that `after_a_restart` looks for."""
    names = [prefix + name for name in ("author", "early", "late")]
    async with users(interface, address, *names) as (author, early, late):
        await early.follow(author.name)
        await author.post(*(f"p{i}" for i in range(22)), seen_by=early)
        await late.follow(author.name)
        await late.follow(early.name)
        await late.unfollow(early.name)
        await author.post("p22", seen_by=early)


async def after_a_restart(interface: Interface, dialect: str, address: str, prefix: str) -> None:
    """Users, follows and posts are all there, and the service goes on with them."""
    texts = REPLIES[dialect]
    author, early, late = (User(interface, address, prefix + name) for name in ("author", "early", "late"))
    for user in (author, early, late):
        assert await user.login() == texts["known"].format(user.name)
    assert await early.follow(author.name) == texts["follow again"]
    assert await late.unfollow(early.name) == texts["unfollow not followed"]
    async with early.timeline() as seen_early, late.timeline() as seen_late:
        assert await seen_early.read(BACKLOG_POSTS) == [(author.name, f"p{i}") for i in range(22, 2, -1)]
        assert await seen_late.read(1) == [(author.name, "p22")]
        await author.post("again", seen_by=early)
        assert await seen_early.read(1) == await seen_late.read(1) == [(author.name, "again")]
    for user in (author, early, late):
        await user.close()


async def follower_info(addresses: Sequence[str], prefix: str) -> None:
    """What GetFollowerInfo says at each address right after a write is the same: no master is behind."""
    ann, bob = prefix + "ann", prefix + "bob"
    async with users(SNS, addresses[0], ann, bob) as (asking, _):
        await asking.follow(bob)
        for address in addresses:
            other = User(SNS, address, "whoever")
            info = (await other.call("GetFollowerInfo")).info
            await other.close()
            assert info[ann] == f"followers: {ann}; following: {ann}, {bob}"
            assert info[bob] == f"followers: {ann}, {bob}; following: {bob}"


async def _ends(failure: Awaitable[grpc.aio.AioRpcError], code: grpc.StatusCode, *words: str) -> None:
    error = await failure
    assert error.code() is code, error
    for word in words:
        assert word in error.details()
