"""The contract's error format, its six codes, and the rate-limit headers."""

from __future__ import annotations

import sqlite3

import pytest

from contract_tests.contract.contract_text import TEXT, differences, error_codes, examples
from contract_tests.contract.contract_text import rate_limit_headers as header_names
from contract_tests.harness.client import Answer, Client
from contract_tests.harness.clock import wait_for_minute
from contract_tests.harness.server_process import ServerProcess

CONTRACT = TEXT.read_text(encoding="utf-8")
CODES = error_codes(CONTRACT)


def check(answer: Answer, code: str) -> None:
    """The format of the text's example, its status, and the headers of all responses."""
    assert answer.status == CODES[code]
    assert answer.headers["content-type"] == "application/json"
    assert answer.error["code"] == code
    assert isinstance(answer.error["message"], str)
    for name in header_names(CONTRACT):
        assert int(answer.headers[name.lower()]) >= 0


def test_the_text_has_the_six_codes() -> None:
    """The table is read from the text: a code that is not tested below fails here."""
    assert CODES == {
        "invalid_request": 400,
        "unauthorized": 401,
        "forbidden": 403,
        "not_found": 404,
        "rate_limited": 429,
        "internal_error": 500,
    }
    assert len(header_names(CONTRACT)) == 3


def test_the_example_of_an_error_is_reproduced(client_a: Client) -> None:
    """Same message for a required parameter that is missing; `param` names it."""
    [example] = [each.value for each in examples(CONTRACT) if "error" in each.value]
    missing = client_a.get("/v1/prices/lookup?provider=openai")
    check(missing, "invalid_request")
    told = missing.body.decode().replace("model", "start_date")
    assert differences(example, client_a_json(told)) == []


def client_a_json(text: str) -> object:
    """The body with the other parameter's name in it."""
    return Answer(400, {}, text.encode()).json()


def test_each_code_of_a_client_error(server: ServerProcess, client_a: Client) -> None:
    """400, 401, 403 and 404 in the contract's format."""
    check(client_a.get("/v1/events?limit=0"), "invalid_request")
    stranger = {"Authorization": "Bearer ip-x", "X-Forwarded-For": "192.0.2.77"}
    check(client_a.request("GET", "/v1/me", headers=stranger), "unauthorized")
    key = client_a.post("/v1/api-keys", {"name": "r", "scopes": ["read"]}).json()["key"]
    check(Client(server.url, key).post("/v1/api-keys", {"name": "x"}), "forbidden")
    check(client_a.get("/v1/events/evt_nobody"), "not_found")
    check(client_a.get("/v1/no-such-route"), "not_found")


def test_rate_limited(server: ServerProcess) -> None:
    """429 with Retry-After, in the contract's format."""
    client = server.client(server.add_account("one-a-minute", rate_limit=1))
    wait_for_minute(at_least_seconds=3)
    assert client.get("/v1/me").status == 200
    refused = client.get("/v1/me")
    check(refused, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 60


@pytest.mark.timeout(60)
def test_internal_error_shows_a_request_id_and_nothing_else(own_server: ServerProcess) -> None:
    """500: a store that breaks under the server is not told to the client; the log has the id."""
    client = own_server.client(own_server.add_account("broken"))
    assert client.get("/v1/api-keys").status == 200
    with sqlite3.connect(own_server.data_dir / "control.db") as database:
        database.execute("ALTER TABLE api_keys RENAME COLUMN name TO nonsense")
    answer = client.get("/v1/api-keys")
    check(answer, "internal_error")
    request_id = answer.headers["x-request-id"]
    assert request_id in answer.error["message"]
    assert request_id in own_server.log_path.read_text()
    for secret in ("sql", "SELECT", "nonsense", "/", "Traceback"):
        assert secret not in answer.error["message"]
