"""What the interfaces of the course answer, word for word: written here once more, so that no test asks the service."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A call while {0}ann, {0}bob and {0}cem are users and {0}ann follows {0}bob; {0} is a prefix of the test."""

    call: str
    """as csce438 calls it"""
    user: str
    arguments: tuple[str, ...]
    reply: str
    """a key of REPLIES"""

    def __str__(self) -> str:
        return " ".join((self.call, self.user.format("")[:12] or "''", *(a.format("") for a in self.arguments)))


CASES = [
    Case("Login", "{0}new", (), "new"),
    Case("Login", "{0}ann", (), "known"),
    Case("Login", "no spaces", (), "login refused"),
    Case("Login", "", (), "login refused"),
    Case("Login", "x" * 65, (), "login refused"),
    Case("Login", "{0}ann\n", (), "login refused"),
    Case("Login", "ä", (), "login refused"),
    Case("Follow", "{0}ann", ("{0}cem",), "followed"),
    Case("Follow", "{0}ann", ("{0}bob",), "follow again"),
    Case("Follow", "{0}ann", ("{0}ann",), "follow again"),
    Case("Follow", "{0}ann", ("{0}nobody",), "follow unknown"),
    Case("Follow", "{0}ann", ("not a name",), "follow unknown"),
    Case("Follow", "{0}ann", (), "follow unknown"),
    Case("Follow", "{0}nobody", ("{0}ann",), "follow unknown"),
    Case("UnFollow", "{0}ann", ("{0}bob",), "unfollowed"),
    Case("UnFollow", "{0}ann", ("{0}cem",), "unfollow not followed"),
    Case("UnFollow", "{0}ann", ("{0}ann",), "unfollow unknown"),
    Case("UnFollow", "{0}ann", ("{0}nobody",), "unfollow unknown"),
    Case("UnFollow", "{0}ann", ("not a name",), "unfollow unknown"),
    Case("UnFollow", "{0}ann", (), "unfollow unknown"),
    Case("UnFollow", "{0}nobody", ("{0}ann",), "unfollow unknown"),
]

# {0} is the user.
REPLIES = {
    "spring2019": {
        "new": "Login Successful!",
        "known": "Welcome Back {0}",
        "login refused": "Invalid Username",
        "followed": "Follow Successful",
        "follow unknown": "Follow Failed -- Invalid Username",
        "follow again": "Follow Failed -- Already Following User",
        "unfollowed": "UnFollow Successful",
        "unfollow unknown": "UnFollow Failed -- Invalid Username",
        "unfollow not followed": "UnFollow Failed -- Not Following User",
    },
    "fall2022": {
        "new": "Login Successful!",
        "known": "Welcome Back {0}",
        "login refused": "you have already joined",
        "followed": "Follow Successful",
        "follow unknown": "unkown user name",
        "follow again": "you have already joined",
        "unfollowed": "UnFollow Successful",
        "unfollow unknown": "unknown follower username",
        "unfollow not followed": "you are not follower",
    },
    "spring2020": {
        "new": "Login Successful!",
        "known": "Welcome Back {0}",
        "login refused": "you have already joined",
        "followed": "Follow Successful",
        "follow unknown": "unkown user name",
        "follow again": "you have already joined",
        "unfollowed": "UnFollow Successful",
        "unfollow unknown": "Unknown follower",
        "unfollow not followed": "You are not a follower",
    },
    "fall2023": {
        "new": "SUCCESS",
        "known": "SUCCESS",
        "login refused": "FAILURE_INVALID_USERNAME",
        "followed": "SUCCESS",
        "follow unknown": "FAILURE_INVALID_USERNAME",
        "follow again": "FAILURE_ALREADY_EXISTS",
        "unfollowed": "SUCCESS",
        "unfollow unknown": "FAILURE_INVALID_USERNAME",
        "unfollow not followed": "FAILURE_NOT_A_FOLLOWER",
    },
    "hw2": {
        "new": "Login Successful!",
        "known": "Welcome Back {0}",
        "login refused": "Invalid Username",
        "followed": "Join Successful",
        "follow unknown": "Join Failed -- Invalid Username",
        "follow again": "Join Failed -- Already Following User",
        "unfollowed": "Leave Successful",
        "unfollow unknown": "Leave Failed -- Invalid Username",
        "unfollow not followed": "Leave Failed -- Not Following User",
    },
}

UNFOLLOW = {
    "unfollowed": "Unfollow Successful",
    "unfollow unknown": "Unfollow Failed -- Invalid Username",
    "unfollow not followed": "Unfollow Failed -- Not Following User",
}
"""Of csce438.SNSService/Unfollow, in each dialect."""
