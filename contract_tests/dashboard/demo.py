"""An invented company's calls, as a customer of ours would have them: for looking at pages.

Nine weeks with quiet nights and weekends, growth, one customer that went wild a few hours ago, one
that costs more than it brings, a model without a price, calls that the SDK lost, limits that are
near. The same seed gives the same company, moved to now.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from contract_tests.harness.client import Client

DAYS = 63
BATCH = 1_000
CUSTOMERS = {
    "acme-corp": ("Acme Corporation", 4_900, 1.0),
    "globex": ("Globex", 2_400, 0.62),
    "initech": ("Initech", 900, 0.47),
    "umbrella-health": ("Umbrella Health", 3_600, 0.39),
    "hooli": ("Hooli", 1_500, 0.33),
    "stark-industries": ("Stark Industries", 5_200, 0.28),
    "wayne-enterprises": ("Wayne Enterprises", 2_800, 0.22),
    "soylent": ("Soylent Foods", 15, 0.19),
    "vandelay": ("Vandelay Imports", 350, 0.14),
    "pied-piper": ("Pied Piper", 9, 0.12),
    "tyrell": ("Tyrell", None, 0.10),
    "cyberdyne": ("Cyberdyne Systems", None, 0.08),
    "wonka": (None, None, 0.06),
    "oscorp": (None, None, 0.05),
    "massive-dynamic": (None, None, 0.04),
    "bluth": (None, None, 0.03),
}
"""Id: name, revenue a month in dollars, and how much it calls beside the first."""
MODELS = (
    ("anthropic", "claude-sonnet-4-5", 0.30),
    ("openai", "gpt-4o", 0.22),
    ("openai", "gpt-5-mini", 0.18),
    ("anthropic", "claude-haiku-4-5", 0.14),
    ("openai", "gpt-4o-mini", 0.10),
    ("google", "gemini-2.5-flash", 0.055),
    ("openai", "acme-finetune-7", 0.005),
)
FEATURES = {"chatbot": 0.45, "search": 0.25, "summaries": 0.2, "agent": 0.1}
ENVIRONMENTS = {"production": 0.9, "staging": 0.1}
WILD = "initech"
WILD_HOURS_AGO = (3, 6)


def fill(client: Client, *, calls: int, seed: int = 7) -> None:
    """Report so many calls to an account, and what belongs to them."""
    now = datetime.fromtimestamp(int(time.time()), UTC)
    batch: list[dict[str, Any]] = []
    for call in _calls(now, calls, random.Random(seed)):
        batch.append(call)
        if len(batch) == BATCH:
            _send(client, batch)
            batch = []
    _send(client, batch)
    for entity_id, (name, revenue, _) in CUSTOMERS.items():
        if name is not None:
            said: dict[str, Any] = {"name": name}
            if revenue is not None:
                said["revenue_usd_monthly"] = revenue
            _ok(client.patch(f"/v1/entities/customer/{quote(entity_id)}", said).status)
    _ok(
        client.post(
            "/v1/sdk/reports",
            {
                "version": "0.1.0",
                "runtime": "python 3.12.4",
                "queued": calls,
                "sent": calls - 14,
                "dropped": {"queue_full": 14},
            },
        ).status
    )
    spent = client.get("/v1/entities/customer/globex").json()["total_cost"]
    each = {"entity_type": "customer", "period": "month", "metric": "cost_usd"}
    for limit in (
        {**each, "entity_id": "*", "amount": _round(float(spent) * 1.6), "action": "notify"},
        {**each, "entity_id": "globex", "amount": _round(float(spent) * 0.5), "action": "block"},
    ):
        _ok(client.post("/v1/limits", limit).status)


def _calls(now: datetime, calls: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    start = now - timedelta(days=DAYS)
    hours = [start + timedelta(hours=hour) for hour in range(DAYS * 24)]
    weights = [_busy(hour, (hour - start).days / DAYS) for hour in hours]
    names, shares = list(CUSTOMERS), [share for _, _, share in CUSTOMERS.values()]
    wild = calls // 250
    for number, hour in enumerate(chance.choices(hours, weights, k=calls - wild)):
        moment = hour + timedelta(seconds=chance.uniform(0, 3_600))
        if moment < now:
            yield _call(number, moment, chance.choices(names, shares)[0], chance)
    first, last = WILD_HOURS_AGO
    for number in range(wild):
        moment = now - timedelta(hours=chance.uniform(first, last))
        call = _call(calls + number, moment, WILD, chance)
        call |= {"model": "claude-sonnet-4-5", "provider": "anthropic", "input_tokens": 60_000}
        call["tags"] = {**call["tags"], "feature": "agent"}
        yield call


def _busy(hour: datetime, age: float) -> float:
    day = 0.35 + 0.65 * math.exp(-(((hour.hour - 14) / 5) ** 2))
    return day * (0.4 if hour.weekday() > 4 else 1.0) * (0.7 + 0.6 * age)


def _call(number: int, moment: datetime, customer: str, chance: random.Random) -> dict[str, Any]:
    provider, model, _ = chance.choices(MODELS, [share for *_, share in MODELS])[0]
    failed = chance.random() < 0.012
    used = round(chance.lognormvariate(9.1, 0.9))
    cached = round(used * chance.random()) if chance.random() < 0.35 else 0
    made = 0 if failed else round(chance.lognormvariate(6.4, 0.8))
    call: dict[str, Any] = {
        "id": f"demo-{number:06}",
        "timestamp": moment.isoformat(),
        "provider": provider,
        "model": model,
        "input_tokens": 0 if failed else used,
        "cache_read_input_tokens": 0 if failed else cached,
        "output_tokens": made,
        "latency_ms": 180 + made * 4 + round(chance.expovariate(1 / 240)),
        "tags": {
            "feature": chance.choices(list(FEATURES), list(FEATURES.values()))[0],
            "env": chance.choices(list(ENVIRONMENTS), list(ENVIRONMENTS.values()))[0],
        },
        "success": not failed,
        "session_id": f"chat-{customer[:4]}-{moment:%m%d}-{chance.randrange(40):02}",
    }
    if failed:
        call |= {"error_type": "rate_limit_error", "error_code": "429"}
    match chance.random():
        case draw if draw < 0.90:
            call |= {"entity_type": "customer", "entity_id": customer}
        case draw if draw < 0.95:
            team = chance.choice(["support", "growth", "research"])
            call |= {"entity_type": "team", "entity_id": team}
        case draw if draw < 0.99:
            call |= {"entity_type": "project", "entity_id": chance.choice(["copilot", "internal"])}
    return call


def _send(client: Client, batch: list[dict[str, Any]]) -> None:
    if batch:
        answer = client.ingest(batch)
        assert not answer["rejected"], answer["rejected"][:3]


def _round(amount: float) -> float:
    return float(f"{amount:.2g}")


def _ok(status: int) -> None:
    assert status in (200, 201), status
