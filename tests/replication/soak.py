"""A small world that is kept under faults: sessions write, readers read, and a seed says what breaks when.

The members are the real thing (cluster.py), so a seed fixes the plan and not the interleaving. What is checked holds in
every interleaving: G1 to G4 of ARCHITECTURE.md. `python -m tests.replication.soak SEED COUNT` tries many seeds.
"""

import asyncio
import itertools
import logging
import random
import sqlite3
import sys
import tempfile
from pathlib import Path
from weakref import WeakKeyDictionary

from tests.replication.cluster import Cluster, Member, running, until
from tests.replication.faults import FAULTS, Fault
from tinysns.domain.positions import end_of
from tinysns.domain.writes import SESSION_WINDOW, Answer, Command, Follow, Login, Outcome, Post, Unfollow, Write
from tinysns.replication import replica as face
from tinysns.replication.interface import NotServing
from tinysns.replication.replica import Replica
from tinysns.sns.calls import CallFailed
from tinysns.sns.counters import Counters
from tinysns.sns.fanout import Hub
from tinysns.sns.reads import Reads
from tinysns.sns.timelines import Timelines
from tinysns.storage.reader import Reader

log = logging.getLogger(__name__)

TRY_SECONDS = 0.4
AUDIENCE = "eve"  # follows every author from the beginning


class World:
    """One cluster under one seed."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.cluster, self.seed = cluster, seed
        self.random = random.Random(seed)
        self.over = asyncio.Event()
        self.answered = 0  # the greatest position that was answered to anybody
        self.seen_index = 0  # the greatest applied index that a read has shown
        self.views: list[tuple[int, int]] = []  # (applied index, posts up to there) of each read
        # Weak: a log is closed, and can be opened by the next life, once nobody holds its replica.
        self.hubs: WeakKeyDictionary[Replica, Hub] = WeakKeyDictionary()

    def pick(self, chance: random.Random) -> tuple[Member, Replica] | None:
        """A member that is up, whatever it does just now."""
        alive = self.cluster.alive
        if not alive:
            return None
        member = chance.choice(alive)
        return member, member.replica

    def chance(self, name: str) -> random.Random:
        return random.Random(f"{self.seed} {name}")

    def hub(self, replica: Replica) -> Hub:
        if replica not in self.hubs:
            self.hubs[replica] = Hub()
            self.hubs[replica].index = replica.applied_index
            replica.add_listener(self.hubs[replica])
        return self.hubs[replica]


class Session:
    """A client: writes in pipelined batches through any member, and sends again what was not answered."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.id, self.author = world, (world.seed << 8) + number, f"author{number}"
        self.chance = world.chance(self.author)
        self.writes: list[Write] = [Login(self.author), Login(AUDIENCE), Follow(AUDIENCE, self.author)]
        self.answers: dict[int, Answer] = {}

    async def run(self) -> None:
        await self.deliver()
        while not self.world.over.is_set():
            self.writes += (self._write() for _ in range(self.chance.randint(1, 8)))
            await self.deliver()

    def _write(self) -> Write:
        number = len(self.writes)
        match self.chance.randrange(12):
            case 0:
                return Follow(self.author, AUDIENCE)
            case 1:
                return Unfollow(self.author, AUDIENCE)
            case 2:
                return Post(self.author, tuple(f"{number}.{self.chance.random()}.{i}" for i in range(3)))
            case _:
                return Post(self.author, (f"{number}.{self.chance.random()}",))

    async def deliver(self) -> None:
        """Until everything is answered."""
        while missing := [n for n in range(1, len(self.writes) + 1) if n not in self.answers]:
            if (picked := self.world.pick(self.chance)) is None:
                await asyncio.sleep(0.01)
                continue
            _, replica = picked
            results = await asyncio.gather(*(self._send(replica, number) for number in missing))
            if not any(results):
                await asyncio.sleep(0.02)

    async def _send(self, replica: Replica, number: int) -> bool:
        try:
            command = Command(self.id, number, self.writes[number - 1])
            answer = await asyncio.wait_for(replica.submit(command), TRY_SECONDS)
        except (NotServing, TimeoutError):
            return False
        assert answer.outcome is not Outcome.SESSION_EXPIRED, (number, self.answers)
        if answer.outcome is Outcome.GAP:
            assert answer.expected not in self.answers, "an answered write was lost"
            assert answer.expected < number
            return False
        assert self.answers.setdefault(number, answer) == answer
        self.world.answered = max(self.world.answered, answer.position)
        return True

    async def check(self) -> None:
        """Answers come in the order of the numbers, and once more the same."""
        positions = [self.answers[n].position for n in range(1, len(self.writes) + 1)]
        assert positions == sorted(set(positions))
        for number in list(self.answers)[-SESSION_WINDOW // 2 :]:
            for member in self.world.cluster.alive:
                assert await self._answer_of(member, number) == self.answers[number]

    async def _answer_of(self, member: Member, number: int) -> Answer:
        """Patiently: on a busy machine a disk seems to stall now and then, and its member refuses meanwhile."""
        while True:
            try:
                return await member.write(self.id, number, self.writes[number - 1])
            except (NotServing, TimeoutError):
                await asyncio.sleep(0.05)

    def expected_posts(self) -> list[tuple[int, str]]:
        """What a follower must have got."""
        return [
            (self.answers[number].position + i, text)
            for number, write in enumerate(self.writes, start=1)
            if isinstance(write, Post)
            for i, text in enumerate(write.texts)
        ]


async def read(world: World) -> None:
    """Reads at any member, each time not older than what was answered or shown before."""
    chance = world.chance("reader")
    while not world.over.is_set():
        await asyncio.sleep(chance.uniform(0, 0.02))
        if (picked := world.pick(chance)) is None:
            continue
        member, replica = picked
        state, answered, seen = member.state, world.answered, world.seen_index
        try:
            await asyncio.wait_for(replica.read_barrier(), TRY_SECONDS)
            page = await asyncio.to_thread(Reader(state).timeline, AUDIENCE, 0, 1_000_000)
        except (NotServing, TimeoutError):
            continue
        except sqlite3.Error:
            if member.up and member.replica is replica:
                raise
            continue  # that life of the member is over
        assert end_of(page.applied_index) >= answered, f"a stale read at {member.node}"
        assert page.applied_index >= seen, f"a read at {member.node} went back"
        world.seen_index = max(world.seen_index, page.applied_index)
        world.views.append((page.applied_index, len(page.posts)))


class Follower:
    """A client's timeline: goes from member to member with its cursor."""

    def __init__(self, world: World, number: int) -> None:
        self.world, self.chance = world, world.chance(f"follower {number}")
        self.got: list[tuple[int, str]] = []

    async def run(self) -> None:
        while not self.world.over.is_set():
            if (picked := self.world.pick(self.chance)) is None:
                await asyncio.sleep(0.01)
                continue
            try:
                async with asyncio.timeout(self.chance.uniform(0.05, 0.8)):
                    await self.follow(*picked)
            except (NotServing, TimeoutError):
                pass
            except sqlite3.Error:
                if picked[0].up and picked[0].replica is picked[1]:
                    raise
            del picked
            await asyncio.sleep(0.005)

    async def follow(self, member: Member, replica: Replica) -> None:
        reads = Reads(Reader(member.state), replica, Counters())
        timelines = Timelines(self.world.hub(replica), reads, Counters())
        try:
            with timelines.timeline(AUDIENCE, self.got[-1][0] if self.got else 0) as timeline:
                await timeline.open()
                async for group in timeline.groups():
                    self.got += [(post.position, post.text) for batch in group for post in batch.posts]
        except CallFailed as e:
            if e.reason != "UNKNOWN_USER" or self.got:  # else: nobody has logged in yet
                raise
        finally:
            reads.close()


# -- a run -------------------------------------------------------------------------------------------------------------


async def soak(folder: Path, seed: int, size: int, seconds: float, faults: tuple[Fault, ...] = FAULTS) -> None:
    async with running(folder, size, with_network=True, compact_every_entries=30, keep_entries=10) as cluster:
        world = World(cluster, seed)
        sessions = [Session(world, number) for number in range(1, 5)]
        followers = [Follower(world, number) for number in range(2)]
        work = [asyncio.ensure_future(one.run()) for one in (*sessions, *followers)]
        work.append(asyncio.ensure_future(read(world)))
        try:
            async with asyncio.timeout(seconds + 200):
                await _break_things(world, seconds, faults, work)
                world.over.set()
                await asyncio.gather(*work)
                await cluster.settled()
                await _judge(world, sessions, followers)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)


async def _break_things(
    world: World, seconds: float, faults: tuple[Fault, ...], work: list[asyncio.Future[None]]
) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end and not any(task.done() for task in work):
        await asyncio.sleep(world.random.uniform(0, 0.3))
        fault, member = world.random.choice(faults), world.random.choice(world.cluster.alive)
        log.info("%s of node %d", fault.__name__, member.node)
        await fault(world.cluster, world.random, member)
        assert not any(m.crashed for m in world.cluster.members.values()), "a member crashed"


async def _judge(world: World, sessions: list[Session], followers: list[Follower]) -> None:
    for session in sessions:
        await session.check()
    await world.cluster.equal()
    expected = sorted(itertools.chain.from_iterable(session.expected_posts() for session in sessions))
    stored = Reader(world.cluster.alive[0].state).timeline(AUDIENCE, 0, 1_000_000)
    assert [(post.position, post.text) for post in stored.posts] == expected
    for applied_index, posts in world.views:
        assert posts == sum(position <= end_of(applied_index) for position, _ in expected)
    world.over.clear()
    for follower in followers:
        assert follower.got == expected[: len(follower.got)]
        last = asyncio.ensure_future(follower.run())
        await until(lambda follower=follower: len(follower.got) >= len(expected), "the timeline is complete")
        last.cancel()
        assert follower.got == expected


def main(first: int, count: int) -> None:
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s: %(message)s")
    face.CHECKPOINT_SECONDS = 0.05
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(soak(Path(folder), seed, 3 + seed % 2, 5.0))
        print(f"seed {seed}: good", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
