"""What is known of limits, in the forms of the wire. Pure."""

from __future__ import annotations

from decimal import Decimal

from infraprism_server.http.wire import Digits, Instant, instant
from infraprism_server.limits.account_limits import AccountLimits, Crossing
from infraprism_server.limits.blocking import BlockChange, Standing
from infraprism_server.limits.limit import EACH, Entity, Limit, Metric, shown
from infraprism_server.limits.period import resets_at_us
from infraprism_server.limits.schemas import (
    BlockChangeOut,
    Blocked,
    LimitEvent,
    LimitOut,
    LimitStatus,
)


def limit_out(mine: AccountLimits, limit: Limit, now_us: int) -> LimitOut:
    """A limit with its current period."""
    if limit.entity_id == EACH:
        standing, reached = mine.highest(limit, now_us)
        found = standing.entity.id
        highest = None if found == EACH else found
    else:
        standing = mine.standing(limit, Entity(limit.entity_type, limit.entity_id), now_us)
        reached, highest = int(standing.spent >= limit.amount), None
    metric = limit.metric
    return LimitOut(
        id=limit.id,
        entity_type=limit.entity_type,
        entity_id=limit.entity_id,
        metric=metric,
        amount=_digits(metric, limit.amount),
        period=limit.period,
        timezone=limit.timezone,
        action=limit.action,
        approaching=[Digits(Decimal(each)) for each in limit.approaching],
        created_at=Instant(limit.created_at_us),
        updated_at=Instant(limit.updated_at_us),
        spent=_digits(metric, standing.spent),
        remaining=_remaining(standing),
        state=limit.state(standing.spent),
        period_start=Instant(standing.period_start_us),
        resets_at=instant(standing.resets_at_us),
        unpriced_events=standing.unpriced,
        highest_entity_id=highest,
        entities_reached=reached,
    )


def status_out(entity: Entity, decides: Standing | None) -> LimitStatus:
    """Whether an entity may call, and why."""
    if decides is None:
        return LimitStatus(entity_type=entity.type, entity_id=entity.id, status="allow")
    limit = decides.limit
    return LimitStatus(
        entity_type=entity.type,
        entity_id=entity.id,
        status="block" if decides.blocks else "allow",
        limit_id=limit.id,
        metric=limit.metric,
        amount=_digits(limit.metric, limit.amount),
        spent=_digits(limit.metric, decides.spent),
        remaining=_remaining(decides),
        period_start=Instant(decides.period_start_us),
        resets_at=instant(decides.resets_at_us),
        unpriced_events=decides.unpriced,
    )


def blocked_out(standing: Standing) -> Blocked:
    """A blocked entity, as the answer to a batch has it."""
    limit = standing.limit
    return Blocked(
        entity_type=standing.entity.type,
        entity_id=standing.entity.id,
        limit_id=limit.id,
        metric=limit.metric,
        amount=_digits(limit.metric, limit.amount),
        spent=_digits(limit.metric, standing.spent),
        resets_at=instant(standing.resets_at_us),
    )


def change_out(change: BlockChange) -> BlockChangeOut:
    """One line of the list of changes."""
    at = Instant(change.changed_at_us)
    kind, name = change.entity
    standing = change.standing
    if standing is None:
        return BlockChangeOut(entity_type=kind, entity_id=name, blocked=False, changed_at=at)
    limit = standing.limit
    return BlockChangeOut(
        entity_type=kind,
        entity_id=name,
        blocked=True,
        changed_at=at,
        limit_id=limit.id,
        metric=limit.metric,
        amount=_digits(limit.metric, limit.amount),
        spent=_digits(limit.metric, standing.spent),
        resets_at=instant(standing.resets_at_us),
    )


def event_of(crossing: Crossing) -> LimitEvent:
    """What a webhook is told of a crossing."""
    limit = crossing.limit
    return LimitEvent(
        limit_id=limit.id,
        entity_type=limit.entity_type,
        entity_id=crossing.key.entity_id,
        metric=limit.metric,
        amount=_digits(limit.metric, limit.amount),
        spent=_digits(limit.metric, crossing.spent),
        period_start=Instant(crossing.period.start_us),
        resets_at=instant(resets_at_us(crossing.period)),
        threshold=Digits(Decimal(crossing.key.threshold)),
        action=limit.action,
        unpriced_events=crossing.unpriced,
    )


def _digits(metric: Metric, units: int) -> Digits:
    return Digits(shown(metric, units))


def _remaining(standing: Standing) -> Digits:
    limit = standing.limit
    return _digits(limit.metric, max(0, limit.amount - standing.spent))
