"""What the contract says of single requests in words, for the checks of schemathesis. Pure.

A JSON schema can not say that an end comes after a start, or that a name is one of the IANA's:
those refusals are listed here, by operation and `param`, and no others are let pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

RULES_BEYOND_THE_SCHEMA: dict[str, frozenset[str]] = {
    "PATCH /v1/me": frozenset({"timezone"}),
    "POST /v1/api-keys": frozenset({"expires_at"}),
    "GET /v1/api-keys": frozenset({"cursor", "offset"}),
    "GET /v1/events": frozenset(
        {"start_date", "end_date", "timezone", "cursor", "offset", "entity_id"}
    ),
    "GET /v1/entities": frozenset({"start_date", "end_date", "timezone", "cursor", "offset"}),
    "PATCH /v1/entities/{entity_type}/{entity_id}": frozenset({"entity_id"}),
    "GET /v1/usage": frozenset(
        {"start_date", "end_date", "timezone", "cursor", "offset", "interval", "entity_id"}
    ),
    "GET /v1/prices": frozenset({"cursor", "offset"}),
    "GET /v1/prices/unpriced": frozenset({"cursor", "offset"}),
    "POST /v1/prices": frozenset({"discount_percent", "model", "effective_to"}),
    "POST /v1/exports": frozenset({"start_date", "end_date", "timezone", "entity_id"}),
    "GET /v1/exports": frozenset({"cursor", "offset"}),
    "GET /v1/webhooks": frozenset({"cursor", "offset"}),
    "GET /v1/webhooks/{webhook_id}/deliveries": frozenset({"cursor", "offset"}),
    "GET /v1/limits": frozenset({"cursor", "offset", "entity_id"}),
    "POST /v1/limits": frozenset({"amount", "timezone", "entity_id", "approaching"}),
    "PATCH /v1/limits/{limit_id}": frozenset({"amount", "timezone", "approaching"}),
    "GET /v1/limits/status": frozenset({"entity_id"}),
    "GET /v1/limits/blocked": frozenset({"since"}),
    "GET /v1/anomalies": frozenset(
        {"start_date", "end_date", "timezone", "cursor", "offset", "entity_id", "entity_type"}
    ),
    "PATCH /v1/anomalies/settings": frozenset({"minimum_impact_usd", "snoozed_until"}),
    "GET /v1/anomalies/planned": frozenset({"cursor", "offset"}),
    "POST /v1/anomalies/planned": frozenset({"start_date", "end_date", "entity_type", "entity_id"}),
    "POST /v1/sdk/reports": frozenset({"runtime"}),
    "POST /v1/prices/repricings": frozenset({"start_date", "end_date", "entity_id"}),
}


def is_documented_refusal(operation: str, error: dict[str, Any]) -> bool:
    """Whether a refused request that fits the schema broke one of the rules above."""
    if error["code"] != "invalid_request":
        return False
    message = error["message"]
    # JSON Schema counts 588.0 an integer; we want it written as one.
    if message.startswith("Expected 'int") and message.endswith("got 'float'"):
        return True
    # `multipleOf` could say it, and would judge by floats.
    if operation == "POST /v1/prices" and message.endswith("has at most 12 decimals"):
        return True
    param = re.split(r"[.\[]", error["param"] or "")[0]
    return param in RULES_BEYOND_THE_SCHEMA.get(operation, frozenset())


def wrong_events_are_rejected(
    body: Any, answer: dict[str, Any], fits: Callable[[object], bool]
) -> bool:
    """Whether a 200 for a batch that does not fit the schema took none of the wrong events.

    The contract keeps the good events of such a batch: every event must be among the rejected,
    under its place, or fit the schema of an event; and one at least must be rejected.
    """
    events = body.get("events") if isinstance(body, dict) else None
    if not isinstance(events, list) or not answer["rejected"]:
        return False
    rejected = set()
    for entry in answer["rejected"]:
        if not entry["error"]["param"].startswith(f"events[{entry['index']}]"):
            return False
        rejected.add(entry["index"])
    return all(index in rejected or fits(event) for index, event in enumerate(events))
