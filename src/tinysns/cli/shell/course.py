"""What the course's starter client prints, word for word, so that scripts can compare the two.

It puts a NUL character behind the time and an empty line behind each post; both are left out here. Everything else that
this shell has to say (why something failed, what it waits for) goes to standard error.
"""

import time

from tinysns.cli.reading import printable
from tinysns.client import Listing, TimelinePost
from tinysns.domain.writes import Outcome

TITLE = """
========= TINY SNS CLIENT =========
 Command Lists and Format:
 FOLLOW <username>
 UNFOLLOW <username>
 LIST
 TIMELINE
====================================="""
PROMPT = "Cmd> "
COMPLETED = "Command completed successfully"
IN_THE_TIMELINE = "Now you are in the timeline"
NO_SUCH_COMMAND = "Invalid Command"
NO_ARGUMENT = "Invalid Input -- No Arguments Given"
INVALID_COMMAND = "Command failed with invalid command"
INVALID_USERNAME = "Command failed with invalid username"
ALREADY_EXISTS = "Input username already exists, command failed"
UNKNOWN_REASON = "Command failed with unknown reason"
BACKLOG_POSTS = 20  # shown before what is new


def welcome(user: str, outcome: Outcome) -> str:
    """The service's own answer to a login."""
    return f"Welcome Back {user}" if outcome is Outcome.WELCOME_BACK else "Login Successful!"


def listing(found: Listing) -> str:
    """The answer to LIST; each name has its comma."""
    users, followers = ("".join(f"{name}, " for name in names) for names in (found.users, found.followers))
    return f"All users: {users}\nFollowers: {followers}"


def post(found: TimelinePost) -> str:
    """A post on one line, which cannot play with the terminal. The time is this machine's."""
    return f"{found.author}({time.ctime(found.time_unix_ns / 1e9)}) >> {printable(found.text)}"
