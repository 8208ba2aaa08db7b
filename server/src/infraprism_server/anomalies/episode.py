"""Episodes: what is one story, told once. An episode grows, and closes after 24 quiet hours."""

from __future__ import annotations

from typing import Final

import msgspec

from infraprism_server.anomalies.finding import Finding

QUIET_HOURS: Final = 24
RETURN_HOURS: Final = 240
"""What returns within this, as next week at the same time, is the same story: not told ..."""
WORSE: Final = 4.0
"""... unless it is this many times as severe as what was told."""
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
    closed: bool = False
    new_normal: bool = False
    """It went on for a week: its hours are history, and nothing before them is."""


def opened(finding: Finding, start_hour: int) -> Episode:
    """The episode that a finding begins."""
    return Episode(start_hour=start_hour, end_hour=finding.end_hour, severity=finding.severity)


def is_same_story(episode: Episode, finding: Finding) -> bool:
    """Whether a finding belongs to an episode, open or closed a short while ago."""
    if not episode.closed:
        return True
    return (
        finding.end_hour - episode.end_hour <= RETURN_HOURS
        and finding.severity < WORSE * episode.severity
    )


def grown(episode: Episode, finding: Finding) -> Episode:
    """The episode with another odd hour in it; after a week it ends as the new normal."""
    end = max(episode.end_hour, finding.end_hour)
    lasting = end - episode.start_hour >= LONGEST_MASK_HOURS
    return Episode(
        start_hour=episode.start_hour,
        end_hour=end,
        severity=max(episode.severity, finding.severity),
        closed=lasting,
        new_normal=lasting,
    )


def rested(episode: Episode, hour: int) -> Episode:
    """The episode after an hour that was not odd."""
    if hour + 1 - episode.end_hour >= QUIET_HOURS:
        return msgspec.structs.replace(episode, closed=True)
    return episode
