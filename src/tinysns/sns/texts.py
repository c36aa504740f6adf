"""The exact texts that course clients compare replies with, by dialect."""

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
