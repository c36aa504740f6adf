"""tinysns.v1.Sns.Timeline: no gap, no double, one order, from every cursor and through whatever happens on the way."""

import asyncio
import random
from pathlib import Path

import grpc
import pytest

from tests.sns.support import Member, NativeTimeline, Writer, failure, members, until
from tinysns.rpc.errors import info
from tinysns.sns import fanout
from tinysns.wire.v1 import sns_pb2
from tinysns.wire.v1.sns_pb2 import Follow, Post, Unfollow


async def readers(master: Member) -> None:
    await master.login("ann", "bob", "cem", "reader")
    await master.follow("reader", "ann", "bob")


async def test_history_then_live(master: Member) -> None:
    await readers(master)
    await master.post("ann", "1", "2")
    await master.post("bob", "3")
    async with NativeTimeline(master, "reader") as timeline:
        await master.post("cem", "not followed")
        await master.post("reader", "no echo")
        await master.post("ann", "4")
        assert await timeline.read(4) == ["1", "2", "3", "4"]
        assert [p.author for p in timeline.posts] == ["ann", "ann", "bob", "ann"]
    async with NativeTimeline(master, "reader", timeline.posts[1].position) as later:
        assert await later.read(2) == ["3", "4"]


async def test_until_now_ends_though_posts_keep_coming(master: Member) -> None:
    await readers(master)
    before = [str(i) for i in range(300)]  # several pages
    await master.post("ann", *before)

    async def post_for_ever() -> None:
        while True:
            await master.post("ann", *("later" for _ in range(100)))

    posting = asyncio.create_task(post_for_ever())
    try:
        async with NativeTimeline(master, "reader", until_now=True) as history:
            texts = await history.rest()
    finally:
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
    assert texts[:300] == before
    assert set(texts[300:]) <= {"later"}
    async with NativeTimeline(master, "cem", until_now=True) as nothing:
        assert await nothing.rest() == []


async def test_a_backlog_is_what_clients_of_the_course_get_and_its_cursor_is_behind_all_there_was(
    master: Member,
) -> None:
    await master.login("ann", "left", "reader")
    await master.follow("reader", "ann", "left")
    await master.post("left", "not followed any more")
    await master.post("ann", *(f"p{i}" for i in range(5)))
    await master.post("left", "newest, and not followed any more")
    await master.unfollow("reader", "left")
    async with NativeTimeline(master, "reader", newest=3, backlog=True) as timeline:
        first = await asyncio.wait_for(timeline.call.read(), 10)
        assert [post.text for post in first.posts] == ["p2", "p3", "p4"]
        assert first.cursor > first.posts[-1].position
        await master.post("ann", "live")
        assert await timeline.read(1) == ["live"]
    async with NativeTimeline(master, "reader", first.cursor) as again:
        assert await again.read(1) == ["live"]
    async with NativeTimeline(master, "ann", newest=3, backlog=True) as nothing:
        empty = await asyncio.wait_for(nothing.call.read(), 10)
        assert (len(empty.posts), empty.cursor > first.cursor) == (0, True)


async def test_newest_begins_with_the_last_posts_of_those_followed(master: Member) -> None:
    await readers(master)
    await master.post("ann", *(f"a{i}" for i in range(30)))
    await master.post("bob", "b0", "b1")
    await master.post("ann", "a30")
    for count, expected in ((1, ["a30"]), (3, ["b0", "b1", "a30"]), (4, ["a29", "b0", "b1", "a30"])):
        async with NativeTimeline(master, "reader", newest=count, until_now=True) as timeline:
            assert await timeline.rest() == expected
    async with NativeTimeline(master, "reader", newest=1000, until_now=True) as timeline:
        assert len(await timeline.rest()) == 33
    async with NativeTimeline(master, "reader", timeline.posts[-2].position, newest=5, until_now=True) as later:
        assert await later.rest() == ["a30"]  # a cursor is never moved back
    async with NativeTimeline(master, "cem", newest=5) as live:
        await master.follow("cem", "ann")
        await master.post("ann", "a31")
        assert await live.read(1) == ["a31"]


async def test_newest_counts_only_authors_followed_now(master: Member) -> None:
    await readers(master)
    await master.post("ann", "a0", "a1")
    await master.post("bob", "b0")
    await master.post("ann", "a2")
    writer = Writer(master, 7)
    await writer.send(writer.command(unfollow=Unfollow(user="reader", target="bob")))
    await writer.answers(1)
    async with NativeTimeline(master, "reader", newest=2, until_now=True) as timeline:
        assert await timeline.rest() == ["a1", "b0", "a2"]  # what lies between comes along


async def test_follow_and_unfollow_count_at_their_place_in_the_log(master: Member) -> None:
    await readers(master)
    writer = Writer(master, 7)
    async with NativeTimeline(master, "reader") as live:
        for i in range(30):  # pipelined: most share an entry with their neighbours
            await writer.post("cem", [f"before {i}"])
            await writer.send(writer.command(follow=Follow(user="reader", target="cem")))
            await writer.post("cem", [f"while {i}"])
            await writer.send(writer.command(unfollow=Unfollow(user="reader", target="cem")))
            await writer.post("cem", [f"after {i}"])
        await writer.post("ann", ["end"])
        expected = [*(f"while {i}" for i in range(30)), "end"]
        await writer.answers(30 * 5 + 1)
        assert await live.read(31) == expected
    async with NativeTimeline(master, "reader") as history:
        assert await history.read(31) == expected


@pytest.mark.parametrize("seed", range(6))
async def test_random_reconnects_on_random_members_while_posting_and_following(tmp_path: Path, seed: int) -> None:
    """The reader sees exactly what the log says: posts of those followed at that moment, in order."""
    rng = random.Random(seed)
    async with members(tmp_path, 3, seed) as all_members:
        await readers(all_members[0])
        expected: list[str] = []
        followed = {"ann", "bob"}
        writer = Writer(all_members[0], 7)
        commands = []
        for i in range(250):
            author = rng.choice(("ann", "bob", "cem", "reader"))
            if rng.random() < 0.15:
                change, kind = (
                    ({"unfollow": Unfollow(user="reader", target=author)}, followed.discard)
                    if author in followed
                    else ({"follow": Follow(user="reader", target=author)}, followed.add)
                )
                if author != "reader":
                    kind(author)
                commands.append(writer.command(**change))
            texts = [f"{i}.{j}" for j in range(rng.randint(1, 5))]
            commands.append(writer.command(post=Post(author=author, texts=texts)))
            if author in followed:
                expected += texts
        commands.append(writer.command(post=Post(author="dan", texts=["not a user"])))

        async def write() -> None:
            for command in commands:
                await writer.send(command)

        async def take_answers() -> None:
            await writer.answers(len(commands))

        work = [asyncio.create_task(write()), asyncio.create_task(take_answers())]
        seen: list[sns_pb2.TimelinePost] = []
        while len(seen) < len(expected):
            cursor = seen[-1].position if seen else 0
            async with NativeTimeline(rng.choice(all_members), "reader", cursor) as timeline:
                wanted = min(rng.randint(1, 120), len(expected) - len(seen))
                await timeline.read(wanted)
                # Of what was received, some may have been lost on the way: resume from any cursor.
                seen += timeline.posts[: rng.randint(1, len(timeline.posts))]
        assert [post.text for post in seen] == expected
        assert [p.position for p in seen] == sorted({p.position for p in seen})
        await asyncio.gather(*work)


async def test_a_slow_reader_is_bounded_and_catches_up(master: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 64 * 1024
    monkeypatch.setattr(fanout, "MAX_QUEUED_BYTES", limit)
    await readers(master)
    writer = Writer(master, 7)
    async with NativeTimeline(master, "reader") as slow:
        (subscription,) = master.hub._by_user["reader"]
        most = 0
        for i in range(200):  # 12 MB: more than gRPC takes on its way
            await writer.post("ann", [f"{i}.{j} ".ljust(2000, "x") for j in range(30)])
            await writer.answers(1)
            most = max(most, subscription.queued_bytes)
        assert most <= limit
        texts = await slow.read(6000)
        assert [text.split()[0] for text in texts] == [f"{i}.{j}" for i in range(200) for j in range(30)]
        await until(lambda: subscription.collecting, "the reader is live again")
        await master.post("ann", "live")
        assert (await slow.read(6001))[-1] == "live"


async def test_state_is_replaced_under_open_streams(tmp_path: Path) -> None:
    async with members(tmp_path, 2) as (source, master):
        await readers(source)
        await source.post("ann", "1")
        async with NativeTimeline(master, "reader") as timeline, NativeTimeline(master, "reader") as other:
            await timeline.read(1)
            master.submitter.stop_applying()
            await source.post("ann", "2", "3")
            await source.unfollow("reader", "ann")
            await source.follow("reader", "cem")
            await source.post("ann", "not followed any more")
            await source.post("cem", "4")
            await master.submitter.install(source.state, tmp_path / "copy")
            master.submitter.go_on()
            await source.post("ann", "still not")
            await source.post("cem", "5")
            assert await timeline.read(5) == ["1", "2", "3", "4", "5"]
            assert await other.read(5) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize("seed", range(3))
async def test_state_is_replaced_while_posts_come(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    async with members(tmp_path, 2, seed) as (source, master):
        await readers(source)
        writer = Writer(source, 7)
        async with NativeTimeline(master, "reader") as timeline:
            for i in range(60):
                await writer.post(rng.choice(("ann", "bob")), [str(i)])
                if i % 20 == 10:
                    await writer.answers(i + 1 - 20 * (i // 20) if i < 20 else 20)
                    await master.submitter.install(source.state, tmp_path / f"copy{i}")
            assert await timeline.read(60) == [str(i) for i in range(60)]


async def test_a_cursor_that_is_ahead_of_this_member_gets_nothing_twice(tmp_path: Path) -> None:
    async with members(tmp_path, 2) as (one, two):
        await readers(one)
        await one.post("ann", "1", "2", "3")
        await until(lambda: two.submitter.applied_index == one.submitter.applied_index, "both have applied all")
        two.submitter.stop_applying()
        await one.post("ann", "4", "5")
        async with NativeTimeline(one, "reader") as fresh:
            await fresh.read(5)
        stale = NativeTimeline(two, "reader", fresh.cursor)
        await asyncio.sleep(0.02)
        two.submitter.go_on()
        async with stale:
            await one.post("bob", "6")
            assert await stale.read(1) == ["6"]


@pytest.mark.parametrize("ahead", [1, 1 << 16, 1 << 40, 1 << 62, (1 << 64) - 1])
async def test_a_cursor_ahead_of_the_cluster_is_refused_and_0_begins_again(master: Member, ahead: int) -> None:
    await readers(master)
    await master.post("ann", "1")
    end = (master.submitter.applied_index << 16) + 0xFFFF
    refused = NativeTimeline(master, "reader", min(end + ahead, 2**64 - 1))
    error = await failure(refused.call)
    assert (error.code(), info(error)) == (grpc.StatusCode.OUT_OF_RANGE, ("CURSOR_AHEAD", True))
    assert "begin again from 0" in error.details()
    async with NativeTimeline(master, "reader") as timeline:
        assert await timeline.read(1) == ["1"]


async def test_a_cursor_within_the_last_entry_is_not_ahead(master: Member) -> None:
    await readers(master)
    end = (master.submitter.applied_index << 16) + 0xFFFF
    async with NativeTimeline(master, "reader", end) as timeline:
        await master.post("ann", "next")
        assert await timeline.read(1) == ["next"]


async def test_silence_brings_heartbeats(master: Member) -> None:
    await readers(master)
    async with NativeTimeline(master, "reader", heartbeat_ms=10) as timeline:
        for _ in range(3):
            message = await asyncio.wait_for(timeline.call.read(), 10)
            assert list(message.posts) == []
        await master.post("ann", "x")
        assert await timeline.read(1) == ["x"]


async def test_large_history_comes_in_messages_of_bounded_size(master: Member) -> None:
    await readers(master)
    writer = Writer(master, 7)
    for i in range(20):
        await writer.post("ann", [f"{i}.{j} ".ljust(60_000) for j in range(16)])
        await writer.answers(1)
    sizes = []
    call = master.sns.Timeline(sns_pb2.TimelineRequest(user="reader"), timeout=30)
    seen = 0
    while seen < 320:
        message = await call.read()
        sizes.append(message.ByteSize())
        seen += len(message.posts)
    call.cancel()
    assert max(sizes) <= 300 * 1024


async def test_an_unknown_user_is_not_found(master: Member) -> None:
    await readers(master)
    unknown = await failure(master.sns.Timeline(sns_pb2.TimelineRequest(user="nobody"), timeout=10))
    assert (unknown.code(), "nobody" in unknown.details()) == (grpc.StatusCode.NOT_FOUND, True)


async def test_a_reader_who_went_away_leaves_nothing_behind(master: Member) -> None:
    await readers(master)
    async with NativeTimeline(master, "reader") as timeline:
        assert master.hub.subscriptions == 1
    timeline.call.cancel()
    await until(lambda: master.hub.subscriptions == 0, "the stream is closed")
    assert master.hub._by_author == {}
    assert master.counters.open_streams == 0
