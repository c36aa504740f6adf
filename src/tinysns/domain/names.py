"""What a user name and a post may be. Refused at the door, so that nothing behind it has to ask again."""

import re

MAX_NAME_CHARACTERS = 64
MAX_TEXT_BYTES = 64 * 1024
# A batch must fit into one log entry together with others (positions have 16 bits for the number within the entry).
MAX_BATCH_POSTS = 4096
MAX_BATCH_BYTES = 1024 * 1024

_NAME = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_NAME_CHARACTERS}}}")


class Refused(ValueError):
    """The input breaks a rule; str() is the one sentence that the user gets to read."""


def check_name(name: str) -> None:
    """Raises Refused unless `name` may be a user's name."""
    if not _NAME.fullmatch(name):
        raise Refused(
            f"a user name has 1 to {MAX_NAME_CHARACTERS} of the characters A-Z a-z 0-9 _ - . and nothing else,"
            f" not {name[:80]!r}"
        )


def check_texts(texts: list[str] | tuple[str, ...]) -> None:
    """Raises Refused unless these texts may be posted together. The end of a line is not counted against its limit."""
    if not 1 <= len(texts) <= MAX_BATCH_POSTS:
        raise Refused(f"a batch has 1 to {MAX_BATCH_POSTS} posts, not {len(texts)}")
    total = 0
    for text in texts:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise Refused("a post must be text that UTF-8 can hold; this one has a lone surrogate") from None
        if not 1 <= size <= MAX_TEXT_BYTES + text.endswith("\n"):
            raise Refused(f"a post has 1 to {MAX_TEXT_BYTES} bytes of UTF-8, not {size - text.endswith(chr(10))}")
        total += size
    if total > MAX_BATCH_BYTES:
        raise Refused(f"a batch has at most {MAX_BATCH_BYTES} bytes of text, not {total}; send smaller batches")
