"""Episodes: what is one story, told once. An episode grows, and closes after 24 quiet hours."""

from __future__ import annotations

from typing import Final

import msgspec

from infraprism_server.anomalies.finding import Finding

QUIET_HOURS: Final = 24
RETURN_HOURS: Final = 240
"""What returns within this, as next week at the same time, is the same story: not told ..."""
WORSE: Final = 4.0
"""... unless it is this many times as bad as what was told: in half-widths, and in money. A
half-width alone does not say it: where nothing is usual in an hour, it is some calls wide."""
LONGEST_MASK_HOURS: Final = 168
"""After seven days an episode is the new normal."""
DRIFT_SILENCE_HOURS: Final = 28 * 24
"""A drift is told again only when the weeks it was told with have left its comparison."""


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """The odd hours of one entity, from start to before end."""

    start_hour: int
    end_hour: int
    severity: float = 0.0
    """The worst so far, in half-widths of the band."""
    excess: float = 0.0
    """The most above the expected so far, of any window that was odd, or a day of a longer one;
    pico-dollars."""
    closed: bool = False
    new_normal: bool = False
    """It went on for a week: its hours are history, and nothing before them is."""


def opened(finding: Finding, start_hour: int, latest: Episode | None = None) -> Episode:
    """The episode that a finding begins: a spike's does not reach back into the one before."""
    if latest is not None and finding.kind == "spike":
        start_hour = max(start_hour, latest.end_hour)
    return Episode(
        start_hour=min(start_hour, finding.end_hour - 1),
        end_hour=finding.end_hour,
        severity=finding.severity,
        excess=finding.excess,
    )


def is_by(episode: Episode, finding: Finding) -> bool:
    """Whether an episode had begun by a finding's end, or within the quiet hours after it.

    Hours are judged again when calls come late and when someone asks: what was known to come
    later is no part of the story of long before.
    """
    return episode.start_hour < finding.end_hour + QUIET_HOURS


def is_same_story(latest: Episode | None, finding: Finding) -> bool:
    """Whether a finding says only what an entity's latest episode, if any, has said.

    A spike belongs to the episode that is open, or closed a short while ago. A drift or a first
    day is silent beside whatever was told of its weeks.
    """
    if latest is None:
        return False
    if finding.kind != "spike":
        return latest.end_hour > finding.end_hour - DRIFT_SILENCE_HOURS
    if not latest.closed:
        return True
    worse = finding.severity >= WORSE * latest.severity and finding.excess >= WORSE * latest.excess
    return finding.end_hour - latest.end_hour <= RETURN_HOURS and not worse


def grown(episode: Episode, finding: Finding) -> Episode:
    """The episode with another odd window in it; after a week it ends as the new normal.

    The same episode, where the finding is no spike, or neither later nor worse.
    """
    later = finding.end_hour > episode.end_hour
    worse = finding.severity > episode.severity or finding.excess > episode.excess
    if finding.kind != "spike" or not (later or worse):
        return episode
    end = max(episode.end_hour, finding.end_hour)
    lasting = end - episode.start_hour >= LONGEST_MASK_HOURS
    return Episode(
        start_hour=episode.start_hour,
        end_hour=end,
        severity=max(episode.severity, finding.severity),
        excess=max(episode.excess, finding.excess),
        closed=lasting,
        new_normal=lasting,
    )


def rested(episode: Episode, hour: int) -> Episode:
    """The episode after an hour that was not odd."""
    if hour + 1 - episode.end_hour >= QUIET_HOURS:
        return msgspec.structs.replace(episode, closed=True)
    return episode
