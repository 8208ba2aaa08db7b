"""What account A does, recorded and replayed with B's key: the scenario of R19 and R21."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from contract_tests.harness.client import Answer, Client
from contract_tests.isolation.routes import Route, every_route
from contract_tests.isolation.samples import begin, body_of, objects_for

Request = tuple[str, str, bytes | None]

UNSTABLE = frozenset(
    {
        *("last_used_at", "start", "end", "revenue_usd", "margin_usd", "failing_since"),
        *("status", "attempts", "attempt_count", "next_attempt_at", "last_attempt_at"),
        *("delivered_at", "finished_at", "last_status", "last_error", "response_status"),
        *("download_url", "expires_at", "completed_at", "rows_written", "rows_total"),
        *("ongoing", "text", "actual_usd", "impact_usd", "impact_percent"),
        *("size_bytes", "events_done", "events_total", "result"),
    }
)
"""Fields that change by use, by the time of asking, or by work in the background."""

_SERVER_ID = re.compile(r"(?:acc|key|prc|rpr|wh|dlv|exp|lim|ano|pln|evt)_[0-9a-f]{20,}")


@dataclass
class Recorder(Client):
    """A client that keeps every request and the ids that the server made for it."""

    url: str
    key: str
    requests: list[Request] = field(default_factory=list)
    made_ids: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__(self.url, self.key)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        answer = super().request(method, path, body, headers)
        self.requests.append((method, path, body))
        self.made_ids.update(
            re.findall(
                r"(?:acc|key|prc|rpr|wh|dlv|exp|lim|ano|pln|evt)_[0-9a-f]{20,}", str(answer.body)
            )
        )
        return answer


def live(recorder: Recorder, mark: str, rounds: int, random: Random) -> None:
    """A does everything it can, `rounds` times, with `mark` in every text field there is."""
    routes = every_route(recorder)
    names = [f"{mark}{number}" for number in range(rounds)]
    begin(recorder, *names)
    for name in names:
        order = [route for route in routes if route.method != "DELETE"]
        random.shuffle(order)
        for route in order:
            ids = objects_for(route, recorder, name)
            body = body_of(route, name)
            if body is None:
                answer = recorder.request(route.method, route.url(ids))
            else:
                answer = recorder.send(route.method, route.url(ids), body)
            assert answer.status == route.status, (route.label, answer)


def snapshot(client: Client, routes: list[Route]) -> dict[str, Any]:
    """Everything the account can read of itself, list by list and one by one."""
    seen: dict[str, Any] = {}
    for route in routes:
        if route.method == "GET" and not route.path_names:
            path = route.url({})
            answer = client.ok(path)
            seen[path] = client.every(path) if "pagination" in answer else answer
    for row in seen["/v1/entities"]:
        path = f"/v1/entities/{row['entity_type']}/{row['entity_id']}"
        seen[path] = client.ok(path)
    for row in seen.get("/v1/webhooks", []):
        seen[row["id"]] = client.every(f"/v1/webhooks/{row['id']}/deliveries")
    return {path: _stable(value) for path, value in seen.items()}


def _stable(value: Any) -> Any:
    match value:
        case dict():
            return {key: _stable(each) for key, each in value.items() if key not in UNSTABLE}
        case list():
            return [_stable(each) for each in value]
    return value


def replay(requests: list[Request], client: Client) -> list[tuple[Request, Answer]]:
    """Every request again, byte for byte, with another key."""
    return [(request, client.request(request[0], request[1], request[2])) for request in requests]


def check_replay(owner: Recorder, other: Client, *, mark: str, seed: int, rounds: int) -> int:
    """R19, R21: live as A, read and replay as B; how many requests were replayed."""
    live(owner, mark, rounds, Random(seed))
    routes = every_route(other)
    recorded = list(owner.requests)
    before = snapshot(owner, routes)
    assert mark in str(before), "the canary was never planted"
    reads = [each for each in recorded if each[0] == "GET"]
    writes = [each for each in recorded if each[0] != "GET"]
    # Reads first: B has nothing of its own yet, so whatever it is shown would be A's.
    for request, answer in replay(reads, other):
        assert answer.status < 500, (request, answer)
        told = answer.body.decode()
        if answer.status == 200:
            assert mark not in told, f"B was shown A's text: {request} {answer}"
        leaked = [each for each in owner.made_ids if each in told]
        assert not leaked, f"B was shown A's ids: {request} {leaked}"
    for request, answer in replay(writes, other):
        assert answer.status < 500, (request, answer)
        leaked = [each for each in owner.made_ids if each in answer.body.decode()]
        assert not leaked, f"B was shown A's ids: {request} {leaked}"
    # A sees itself unchanged, key by key.
    assert snapshot(owner, routes) == before
    return len(recorded)
