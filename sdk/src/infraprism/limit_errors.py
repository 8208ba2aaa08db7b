"""What a call is refused with, before anything is sent to the provider."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from infraprism.api.errors import InfraPrismError


class CallRefusedError(InfraPrismError):
    """A call was not made. The provider has seen nothing of it."""

    def __init__(self, message: str, *, entity_type: str, entity_id: str) -> None:
        super().__init__(message)
        self.entity_type = entity_type
        self.entity_id = entity_id


class LimitReachedError(CallRefusedError):
    """The entity has spent what a limit allows.

    `limit` and `spent` are exact, in the unit of `metric` (cost_usd: dollars; tokens; requests).
    `resets_at` is when it may call again, aware; None: when the limit is changed.
    """

    def __init__(
        self,
        *,
        entity_type: str,
        entity_id: str,
        limit_id: str,
        metric: str,
        limit: Decimal,
        spent: Decimal,
        resets_at: datetime | None,
    ) -> None:
        until = (
            "the limit is changed" if resets_at is None else f"{resets_at:%Y-%m-%d %H:%M:%S} UTC"
        )
        super().__init__(
            f"{entity_type} {entity_id!r} has reached its limit ({metric}: {spent:f} of {limit:f}) "
            f"until {until}",
            entity_type=entity_type,
            entity_id=entity_id,
        )
        self.limit_id = limit_id
        self.metric = metric
        self.limit = limit
        self.spent = spent
        self.resets_at = resets_at


class LimitsUnknownError(CallRefusedError):
    """The server can not be asked who is blocked, and calls were not to be made without that."""

    def __init__(self, *, entity_type: str, entity_id: str) -> None:
        super().__init__(
            "whether a limit is reached is not known, because the InfraPrism server does not "
            'answer; when_unreachable="allow" would let the call through',
            entity_type=entity_type,
            entity_id=entity_id,
        )
