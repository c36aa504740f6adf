"""A slave for which each master has settled at once, so that none is in a crash loop, for tests that kill many.

Between two kills of a test there are no ten seconds, and a back-off of up to five would be all that it waits for. The
back-off itself is specified in tests/domain and tests/slave.
"""

import sys

from tinysns.domain import supervision
from tinysns.slave.__main__ import main

if __name__ == "__main__":
    supervision.SETTLED_SECONDS = 0.0
    sys.exit(main())
