"""What the right answers are: users, follows, posts and sessions in memory, shared by all masters of a double."""

import asyncio
from dataclasses import dataclass, field

from tinysns.domain.positions import end_of, position_at
from tinysns.domain.writes import Outcome
from tinysns.wire.v1 import sns_pb2

_BEGINNING, _END = 0, 1 << 64


@dataclass
class _Session:
    last: int = 0
    answers: dict[int, sns_pb2.Answer] = field(default_factory=dict)


class Model:
    """Each applied command is one log entry."""

    def __init__(self) -> None:
        self.index = 0
        self.users: dict[str, int] = {}
        self.follows: dict[tuple[str, str], list[list[int]]] = {}  # intervals of positions, [since, until)
        self.posts: list[sns_pb2.TimelinePost] = []
        self.sessions: dict[int, _Session] = {}
        self.grown = asyncio.Event()

    def apply(self, command: sns_pb2.Command) -> sns_pb2.Answer:
        session = self.sessions.get(command.session)
        if session is None:
            if command.number != 1:
                return sns_pb2.Answer(number=command.number, outcome=Outcome.SESSION_EXPIRED)
            session = self.sessions[command.session] = _Session()
        if command.number <= session.last:
            return session.answers[command.number]
        if command.number > session.last + 1:
            return sns_pb2.Answer(number=command.number, outcome=Outcome.GAP, expected=session.last + 1)
        self.index += 1
        session.last = command.number
        position = position_at(self.index, 0)
        answer = sns_pb2.Answer(number=command.number, outcome=self._execute(command, position), position=position)
        session.answers[command.number] = answer
        self.grown.set()
        self.grown = asyncio.Event()
        return answer

    def _execute(self, command: sns_pb2.Command, position: int) -> Outcome:
        match command.WhichOneof("write"):
            case "login":
                if command.login.user in self.users:
                    return Outcome.WELCOME_BACK
                self.users[command.login.user] = position
                return Outcome.DONE
            case "follow":
                return self._follow(command.follow.user, command.follow.target, position)
            case "unfollow":
                return self._unfollow(command.unfollow.user, command.unfollow.target, position)
        if command.post.author not in self.users:
            return Outcome.UNKNOWN_USER
        for number, text in enumerate(command.post.texts):
            self.posts.append(
                sns_pb2.TimelinePost(position=position + number, author=command.post.author, text=text, time_unix_ns=1)
            )
        return Outcome.DONE

    def _follow(self, user: str, target: str, position: int) -> Outcome:
        if user not in self.users or target not in self.users:
            return Outcome.UNKNOWN_USER
        if user == target or self.follows_now(user, target):
            return Outcome.ALREADY_FOLLOWING
        self.follows.setdefault((user, target), []).append([position, _END])
        return Outcome.DONE

    def _unfollow(self, user: str, target: str, position: int) -> Outcome:
        if user not in self.users or target not in self.users:
            return Outcome.UNKNOWN_USER
        if user == target:
            return Outcome.INVALID_TARGET
        if not self.follows_now(user, target):
            return Outcome.NOT_FOLLOWING
        self.follows[user, target][-1][1] = position
        return Outcome.DONE

    def follows_now(self, user: str, target: str) -> bool:
        intervals = self.follows.get((user, target))
        return bool(intervals) and intervals[-1][1] == _END

    def timeline(self, user: str, after_position: int, most: int) -> list[sns_pb2.TimelinePost]:
        return [
            post
            for post in self.posts
            if post.position > after_position
            and any(since < post.position < until for since, until in self.follows.get((user, post.author), ()))
        ][:most]

    def newest(self, user: str, most: int) -> list[sns_pb2.TimelinePost]:
        """Of those whom the user follows now."""
        return [
            post
            for post in self.posts
            if self.follows_now(user, post.author) and post.position > self.follows[user, post.author][-1][0]
        ][-most:]

    @property
    def cursor(self) -> int:
        """Behind all there is."""
        return end_of(self.index)

    def listing(self, user: str) -> sns_pb2.ListReply:
        following = [u for u in sorted(self.users) if self.follows_now(user, u)]
        followers = [u for u in sorted(self.users) if u == user or self.follows_now(u, user)]
        return sns_pb2.ListReply(users=sorted(self.users), followers=followers, following=following)
