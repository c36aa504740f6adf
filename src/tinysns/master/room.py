"""Whether there is room on the data disk to start a master: to open its log and its state writes into both."""

import os
from pathlib import Path

# Twice what the native member takes for full: below that it ends the process at once, and starting again would do so
# for ever. The log grows in files of 16 MiB, and SQLite its write-ahead log.
FREE_BYTES = 24 * 1024 * 1024
FREE_INODES = 32


def shortage(data: Path) -> str:
    """What is missing, in one sentence; empty if nothing is."""
    found = os.statvfs(data)
    free_bytes = found.f_bavail * found.f_frsize
    few_inodes = found.f_files > 0 and found.f_favail < FREE_INODES  # some file systems have no fixed number
    if free_bytes >= FREE_BYTES and not few_inodes:
        return ""
    free = f"{free_bytes >> 20} MiB and {found.f_favail} files free"
    return f"the disk of {data} is full ({free}); make room on it"
