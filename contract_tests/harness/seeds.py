"""The seed a test plays from: its own, or the one that a longer run gives to replay."""

from __future__ import annotations

import os
from typing import Final

SEED_VARIABLE: Final = "INFRAPRISM_TEST_SEED"


def seed_or(own: int) -> int:
    """The seed of the environment, where there is one; else the test's own."""
    return int(os.environ.get(SEED_VARIABLE, own))
