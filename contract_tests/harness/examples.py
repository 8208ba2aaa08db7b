"""How many random examples a property is tried with: a few in each run, many in a longer one."""

from __future__ import annotations

import os
from typing import Final

TIMES_VARIABLE: Final = "INFRAPRISM_TEST_EXAMPLES_TIMES"


def examples(few: int) -> int:
    """So many of a short run, and as many times more as the environment says."""
    return few * int(os.environ.get(TIMES_VARIABLE, "1"))
