"""Positions: the one order of all posts.

A position is `entry index << 16 | number within the entry`. It is unique, it grows with the log, and it is the same on
every master. Nothing else (above all no clock) says which of two posts came first.
"""

_NUMBER_BITS = 16
MAX_NUMBER = (1 << _NUMBER_BITS) - 1


def position_at(entry_index: int, number: int) -> int:
    """The position of the post (or other write) that is the `number`-th of its log entry."""
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"an entry has room for {MAX_NUMBER + 1} posts, not for number {number}")
    return entry_index << _NUMBER_BITS | number


def entry_of(position: int) -> int:
    """The log index of the entry that holds this position."""
    return position >> _NUMBER_BITS


def end_of(entry_index: int) -> int:
    """The greatest position that an entry can hold: a cursor there has seen all of it."""
    return entry_index << _NUMBER_BITS | MAX_NUMBER
