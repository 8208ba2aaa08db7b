"""Every page of the dashboard, and every form that changes something: a new one is added here."""

from __future__ import annotations

PAGES = [
    "/",
    "/?range=month&by=tags[feature]",
    "/explorer?group=entity_id&group=model",
    "/explorer?metric=latency&group=model&interval=hour&range=24h",
    "/entities?q=shown",
    "/entities/customer/shown-customer",
    "/events",
    "/events?live=1",
    "/events/shown-event",
    "/sessions",
    "/alerts?status=all",
    "/alerts/{anomaly}",
    "/alerts/planned",
    "/limits",
    "/limits/new?entity_type=customer&entity_id=shown-customer",
    "/limits/{limit}",
    "/webhooks",
    "/webhooks/new",
    "/webhooks/{webhook}",
    "/keys",
    "/exports",
    "/settings",
    "/prices?provider=openai&model=gpt-4o",
    "/prices/new",
    "/prices/repricings/new",
    "/prices/repricings/{repricing}",
    "/sdk",
]
"""Addresses that answer 200 to an account that has `SHOWN` among its events.

`{limit}` and the like are ids that the fixture `shown_ids` knows.
"""

FORMS = [
    "/sign-out",
    "/first-key",
    "/entities/customer/shown-customer",
    "/alerts/any",
    "/alerts/planned",
    "/alerts/planned/any/delete",
    "/limits",
    "/limits/any",
    "/limits/any/delete",
    "/webhooks",
    "/webhooks/any",
    "/webhooks/any/enabled",
    "/webhooks/any/test",
    "/webhooks/any/rotate",
    "/webhooks/any/delete",
    "/webhooks/any/deliveries/any",
    "/keys",
    "/keys/any/delete",
    "/exports",
    "/exports/any/delete",
    "/settings",
    "/settings/anomalies",
    "/prices",
    "/prices/any/delete",
    "/prices/repricings",
    "/prices/repricings/any/apply",
]
"""Paths of forms: none may be posted to from elsewhere, or without the page's token."""

SHOWN_IDS = ("anomaly", "limit", "planned", "webhook", "key", "export", "price", "repricing")
"""What the account also has one of."""

SHOWN = {
    "id": "shown-event",
    "provider": "openai",
    "model": "gpt-4o",
    "input_tokens": 1_000,
    "output_tokens": 500,
    "latency_ms": 840,
    "entity_type": "customer",
    "entity_id": "shown-customer",
    "session_id": "shown-session",
    "tags": {"feature": "chatbot"},
}
"""One call, without its timestamp: what the pages show."""
