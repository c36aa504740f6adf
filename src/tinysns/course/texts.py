"""The exact texts that clients of the course compare replies with, by dialect."""

from dataclasses import dataclass

from tinysns.domain.writes import Outcome


@dataclass(frozen=True, slots=True)
class Dialect:
    """One family of texts."""

    name: str
    logged_in: str
    welcome_back: str  # {user} is replaced
    login_refused: str
    followed: str
    follow_unknown: str
    follow_again: str
    unfollowed: str
    unfollow_unknown: str
    unfollow_not_followed: str

    def login(self, outcome: Outcome, user: str) -> str | None:
        """None: this outcome is no answer to a course client."""
        return {Outcome.DONE: self.logged_in, Outcome.WELCOME_BACK: self.welcome_back.format(user=user)}.get(outcome)

    def follow(self, outcome: Outcome) -> str | None:
        """None: this outcome is no answer to a course client."""
        return {
            Outcome.DONE: self.followed,
            Outcome.UNKNOWN_USER: self.follow_unknown,
            Outcome.ALREADY_FOLLOWING: self.follow_again,
        }.get(outcome)

    def unfollow(self, outcome: Outcome) -> str | None:
        """None: this outcome is no answer to a course client."""
        return {
            Outcome.DONE: self.unfollowed,
            Outcome.UNKNOWN_USER: self.unfollow_unknown,
            Outcome.INVALID_TARGET: self.unfollow_unknown,
            Outcome.NOT_FOLLOWING: self.unfollow_not_followed,
        }.get(outcome)


SPRING2019 = Dialect(
    name="spring2019",
    logged_in="Login Successful!",
    welcome_back="Welcome Back {user}",
    login_refused="Invalid Username",
    followed="Follow Successful",
    follow_unknown="Follow Failed -- Invalid Username",
    follow_again="Follow Failed -- Already Following User",
    unfollowed="UnFollow Successful",
    unfollow_unknown="UnFollow Failed -- Invalid Username",
    unfollow_not_followed="UnFollow Failed -- Not Following User",
)

FALL2022 = Dialect(
    name="fall2022",
    logged_in="Login Successful!",
    welcome_back="Welcome Back {user}",
    login_refused="you have already joined",
    followed="Follow Successful",
    follow_unknown="unkown user name",  # sic: so clients know it
    follow_again="you have already joined",
    unfollowed="UnFollow Successful",
    unfollow_unknown="unknown follower username",
    unfollow_not_followed="you are not follower",
)

DIALECTS = {dialect.name: dialect for dialect in (SPRING2019, FALL2022)}
"""Of csce438.SNSService; one of them is chosen for a cluster."""

MESSENGER = Dialect(
    name="hw2",
    logged_in="Login Successful!",
    welcome_back="Welcome Back {user}",
    login_refused="Invalid Username",
    followed="Join Successful",
    follow_unknown="Join Failed -- Invalid Username",
    follow_again="Join Failed -- Already Following User",
    unfollowed="Leave Successful",
    unfollow_unknown="Leave Failed -- Invalid Username",
    unfollow_not_followed="Leave Failed -- Not Following User",
)
"""The only one of hw2.MessengerServer."""
