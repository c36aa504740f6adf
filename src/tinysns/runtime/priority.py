"""Starting without getting in the way.

Most of a start is importing, half a second of computing. After a kill it falls into the very milliseconds in which the
other masters elect and clients move over, perhaps on the same cores. So a starting process steps back until it serves.
"""

import os
import resource

_STARTING_NICE = 10
# As getrlimit(2) counts it, 20 - nice: what lets a process without privileges come back to nice 0. The unit grants it.
_NICE_0 = 20


def step_back() -> None:
    """Lets others go first, if `return_to_normal` will be allowed."""
    if os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_NICE)[0] >= _NICE_0:
        os.setpriority(os.PRIO_PROCESS, 0, _STARTING_NICE)


def return_to_normal() -> None:
    """Must come before the process starts threads: on Linux each has a priority of its own, that of its maker."""
    if os.getpriority(os.PRIO_PROCESS, 0) == _STARTING_NICE:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
