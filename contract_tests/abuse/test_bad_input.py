"""R43 and 'Done when' 5: each kind of bad input gets a clear 4xx that names the field."""

from __future__ import annotations

from typing import Any

import pytest

from contract_tests.abuse.cases import (
    BATCHES,
    BODIES,
    EVENT_FIELDS,
    EVENT_PAIRS,
    GOOD,
    MALFORMED,
    QUERIES,
)
from contract_tests.harness.client import Client


def _named(value: object) -> str:
    return ascii(value)[:60]


@pytest.mark.parametrize(("field", "value"), EVENT_FIELDS, ids=_named)
def test_r43_a_bad_field_rejects_its_event_alone(
    client_a: Client, field: str, value: object
) -> None:
    """R43: the batch answers 200, the good events of it are kept, `param` names the field."""
    result = client_a.ingest([GOOD, GOOD | {field: value}, GOOD])
    assert result["accepted"] == 2
    [rejected] = result["rejected"]
    assert rejected["index"] == 1
    assert rejected["error"]["code"] == "invalid_request"
    assert rejected["error"]["param"] == f"events[1].{field}"
    assert rejected["error"]["message"]


@pytest.mark.parametrize(("fields", "param"), EVENT_PAIRS, ids=_named)
def test_r43_fields_that_do_not_fit_together_reject_their_event(
    client_a: Client, fields: dict[str, Any], param: str
) -> None:
    """R43: subsets beyond their totals, half an entity, tags out of bounds."""
    result = client_a.ingest([GOOD | fields])
    assert result["accepted"] == 0
    assert result["rejected"][0]["error"]["param"].startswith(f"events[0].{param}")


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_r43_a_missing_field_is_named(client_a: Client, missing: str) -> None:
    """R43: an event without a required field is rejected, the field is named."""
    event = {name: value for name, value in GOOD.items() if name != missing}
    assert client_a.ingest([event])["rejected"][0]["error"]["param"] == f"events[0].{missing}"


@pytest.mark.parametrize("event", [None, 5, "x", [], [GOOD]], ids=_named)
def test_r43_what_is_no_event_is_rejected_by_its_place(client_a: Client, event: object) -> None:
    """R43: a value that is no object at all."""
    result = client_a.post("/v1/events", {"events": [GOOD, event]}).json()
    assert result["accepted"] == 1
    assert result["rejected"][0]["error"]["param"] == "events[1]"


@pytest.mark.parametrize(("body", "param"), BATCHES, ids=_named)
def test_r43_what_is_no_batch_is_refused(client_a: Client, body: object, param: str | None) -> None:
    """R43: 400 for the whole request, with the field where there is one."""
    answer = client_a.post("/v1/events", body)
    assert answer.status == 400
    assert answer.error["code"] == "invalid_request"
    assert answer.error["param"] == param


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/events"), ("POST", "/v1/api-keys"), ("PATCH", "/v1/entities/customer/acme")],
)
def test_r43_malformed_json_is_a_clear_400(
    client_a: Client, name: str, method: str, path: str
) -> None:
    """R43: broken, too deep, not UTF-8, NaN: 400 or a rejected event, never stored, never 5xx."""
    answer = client_a.request(method, path, MALFORMED[name])
    if answer.status == 200:  # a batch whose one event can not be read
        assert answer.json()["accepted"] == 0
        assert answer.json()["rejected"][0]["error"]["param"].startswith("events[0]")
        return
    assert answer.status == 400, answer
    assert answer.error["code"] == "invalid_request"
    assert "Traceback" not in answer.error["message"]


@pytest.mark.parametrize("text", ["\\ud800", "\\udfff", "a\\ud83d", "\\udc00\\ud800"])
@pytest.mark.parametrize("field", ["model", "entity_id", "id", "tags"])
def test_r43_lone_surrogates_are_refused(client_a: Client, text: str, field: str) -> None:
    """R43: text that is not Unicode is a rejected event, not a broken store."""
    bad = f'{{"k": "{text}"}}' if field == "tags" else f'"{text}"'
    body = (
        '{"events": [{"timestamp": "2025-01-15T10:30:00Z", "provider": "p", "model": "m", '
        f'"entity_type": "customer", "entity_id": "e", "{field}": {bad}}}]}}'
    )
    answer = client_a.request("POST", "/v1/events", body.encode())
    assert answer.status in (200, 400), answer
    if answer.status == 200:
        assert answer.json()["accepted"] == 0
        assert answer.json()["rejected"][0]["error"]["param"].startswith("events[0]")
    assert client_a.get("/v1/events").status == 200


@pytest.mark.parametrize(("path", "query", "param"), QUERIES, ids=_named)
def test_r43_a_bad_query_names_its_parameter(
    client_a: Client, path: str, query: str, param: str
) -> None:
    """R43: dates, zones, numbers, duplicates and unknown names; a typo never widens a report."""
    answer = client_a.get(f"{path}?{query}")
    assert answer.status == 400, answer
    assert answer.error["code"] == "invalid_request"
    assert answer.error["param"] == param


@pytest.mark.parametrize(("method", "path", "body", "param"), BODIES, ids=_named)
def test_r43_a_bad_body_names_its_field(
    client_a: Client, method: str, path: str, body: object, param: str
) -> None:
    """R43: the other routes that take a body."""
    answer = client_a.send(method, path, body)
    assert answer.status == 400, answer
    assert answer.error["code"] == "invalid_request"
    assert (answer.error["param"] or "").startswith(param), answer


@pytest.mark.parametrize("path", ["/v1/events/%ff", "/v1/events/%C0%AF", "/v1/entities/a/%80"])
def test_r43_a_path_that_is_not_utf8_is_refused(client_a: Client, path: str) -> None:
    """R43: text that is not Unicode in a path is a 400 that names the part."""
    answer = client_a.get(path)
    assert answer.status == 400
    assert answer.error["param"] in ("event_id", "entity_id")


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ü".encode().decode("latin-1")])
def test_r43_a_bad_idempotency_key_is_refused(client_a: Client, key: str) -> None:
    """R43: 1 to 255 visible ASCII characters."""
    for path, body in [("/v1/events", {"events": [GOOD]}), ("/v1/api-keys", {"name": "k"})]:
        answer = client_a.post(path, body, {"Idempotency-Key": key})
        assert answer.status == 400, (path, answer)
        assert answer.error["param"] == "Idempotency-Key"
