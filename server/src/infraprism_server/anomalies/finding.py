"""What was found, and how an account wants to be watched: the words detection speaks in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from infraprism_server.anomalies.history import Floats
from infraprism_server.money import PICO_PER_DOLLAR

Sensitivity = Literal["low", "default", "high"]
Kind = Literal["spike", "drift", "new_entity"]

GATE_PART_OF_DAY: Final = 0.25
DAY_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Tuning:
    """What an account has set; amounts in pico-dollars, `offset_hours` from UTC."""

    sensitivity: Sensitivity = "default"
    minimum_impact_pico: int = PICO_PER_DOLLAR
    offset_hours: int = 0

    def gate(self, usual_day: Floats) -> Floats:
        """The money gate: what an excess must reach to be told, given what a day usually costs."""
        gate: Floats = np.maximum(self.minimum_impact_pico, GATE_PART_OF_DAY * usual_day)
        return gate


@dataclass(frozen=True, slots=True)
class Finding:
    """A window that left its band. Amounts are float64 pico-dollars."""

    entity: int
    """The column of the history."""
    kind: Kind
    start_hour: int
    end_hour: int
    """The hour after the window."""
    actual: float
    expected: float
    lower: float
    upper: float

    @property
    def excess(self) -> float:
        """What it cost above the expected, pico-dollars: in a day of it, where it is longer."""
        return excess_of_a_day(self.actual - self.expected, self.end_hour - self.start_hour)

    @property
    def severity(self) -> float:
        """How many half-widths of the band above the expected it is; 1 is the edge."""
        return (self.actual - self.expected) / max(self.upper - self.expected, 1.0)


def excess_of_a_day(excess: float, hours: int) -> float:
    """So that a drift's week stands beside the hours of a spike."""
    return excess * min(1.0, DAY_HOURS / hours)
