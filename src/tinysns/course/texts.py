"""The exact texts that clients of the course compare replies with, by dialect: docs/course.md shows this table."""

from dataclasses import dataclass, replace

from tinysns.domain.writes import Outcome


@dataclass(frozen=True, slots=True)
class Dialect:
    """One family of texts. In each of them {user} is replaced."""

    name: str
    logged_in: str
    welcome_back: str
    login_refused: str
    """nobody can have such a name"""
    already_in: str
    """single login: the user has an open timeline"""
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
    already_in="Invalid Username",
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
    already_in="you have already joined",
    followed="Follow Successful",
    follow_unknown="unkown user name",  # sic: so clients know it
    follow_again="you have already joined",
    unfollowed="UnFollow Successful",
    unfollow_unknown="unknown follower username",
    unfollow_not_followed="you are not follower",
)

SPRING2020 = replace(
    FALL2022,
    name="spring2020",
    unfollow_unknown="Unknown follower",
    unfollow_not_followed="You are not a follower",
)

FALL2023 = Dialect(
    name="fall2023",
    logged_in="SUCCESS",
    welcome_back="SUCCESS",  # clients take all else for a refusal
    login_refused="FAILURE_INVALID_USERNAME",
    already_in="FAILURE_ALREADY_EXISTS",
    followed="SUCCESS",
    follow_unknown="FAILURE_INVALID_USERNAME",
    follow_again="FAILURE_ALREADY_EXISTS",
    unfollowed="SUCCESS",
    unfollow_unknown="FAILURE_INVALID_USERNAME",
    unfollow_not_followed="FAILURE_NOT_A_FOLLOWER",
)

MESSENGER = replace(
    SPRING2019,
    name="hw2",
    followed="Join Successful",
    follow_unknown="Join Failed -- Invalid Username",
    follow_again="Join Failed -- Already Following User",
    unfollowed="Leave Successful",
    unfollow_unknown="Leave Failed -- Invalid Username",
    unfollow_not_followed="Leave Failed -- Not Following User",
)
"""The only one of hw2.MessengerServer and hw4.MessengerServer; some spoke so over csce438.SNSService, too."""

DIALECTS = {dialect.name: dialect for dialect in (SPRING2019, SPRING2020, FALL2022, FALL2023, MESSENGER)}
"""Of csce438.SNSService; one of them is chosen for a cluster."""

UNFOLLOW = replace(
    SPRING2019,
    name="unfollow",
    unfollowed="Unfollow Successful",
    unfollow_unknown="Unfollow Failed -- Invalid Username",
    unfollow_not_followed="Unfollow Failed -- Not Following User",
)
"""Of those who call csce438.SNSService/Unfollow, whatever dialect is chosen: of unfollowing only."""
