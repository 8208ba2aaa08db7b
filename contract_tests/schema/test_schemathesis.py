"""R44: whatever the OpenAPI document allows or forbids, the server does as the document says."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract_tests.harness.server_process import ServerProcess
from contract_tests.schema.rules import is_documented_refusal, wrong_events_are_rejected
from contract_tests.schema.runner import assert_clean, run

SEED = 44


@pytest.mark.long
@pytest.mark.timeout(180)
def test_r44_schemathesis_finds_nothing(server: ServerProcess, tmp_path: Path) -> None:
    """R44, short: 0 server errors, 0 schema violations, 0 accepted bad data, stateful."""
    assert_clean(run(server, tmp_path, seed=SEED, examples=4, timeout_seconds=170))


def test_a_refusal_is_let_pass_only_where_the_contract_has_a_rule() -> None:
    """The exceptions are by operation, code and `param`."""
    error = {"code": "invalid_request", "param": "timezone", "message": "Unknown time zone 'x'"}
    assert is_documented_refusal("PATCH /v1/me", error)
    assert not is_documented_refusal("PATCH /v1/me", error | {"param": "name"})
    assert not is_documented_refusal("PATCH /v1/me", error | {"code": "conflict"})
    assert not is_documented_refusal("POST /v1/events", error)
    assert not is_documented_refusal("PATCH /v1/me", error | {"param": None})


def test_a_batch_with_wrong_events_must_have_rejected_them() -> None:
    """A 200 for a batch that does not fit the schema must name a wrong event by its place."""
    good, wrong = {"model": "m"}, {}
    body = {"events": [good, wrong]}
    entry = {"index": 1, "error": {"param": "events[1].model"}}

    def holds(body: object, rejected: list[dict[str, object]]) -> bool:
        return wrong_events_are_rejected(body, {"rejected": rejected}, lambda event: event == good)

    assert holds(body, [entry])
    assert not holds(body, [])
    assert not holds(body, [entry | {"index": 0}])
    assert not holds({"events": [wrong, wrong]}, [entry])
    assert not holds({"events": "x"}, [entry])
