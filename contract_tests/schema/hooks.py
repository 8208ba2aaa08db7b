"""schemathesis hooks: loaded by its command line through SCHEMATHESIS_HOOKS.

Every request comes from an address of its own (the server under test trusts loopback as a proxy),
so that the bound on failed authentications does not stand in for their answers. And failures that
are the contract's own words are let go, each by a rule as narrow as it can be told.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import schemathesis
from schemathesis.core.failures import Failure

from contract_tests.isolation.samples import NOWHERE
from contract_tests.schema.hooks_environment import OWN_KEY, OWN_KEY_ID
from contract_tests.schema.rules import is_documented_refusal, wrong_events_are_rejected

if TYPE_CHECKING:
    from schemathesis import AuthContext, Case, HookContext, Response

_addresses = count(1)


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: dict[str, Any]) -> None:
    """An address nobody else uses; and the key that is used is not thrown away."""
    number = next(_addresses)
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    case.headers["X-Forwarded-For"] = address
    if case.operation.label == "DELETE /v1/api-keys/{key_id}" and _names_own_key(case):
        case.path_parameters = {"key_id": "key_nobody"}
    if case.operation.path.startswith("/v1/webhooks") and isinstance(case.body, dict):
        _keep_at_home(case.body)


@schemathesis.auth()
class OwnKey:
    """The key that the requests are made with, unless a check wants to see what happens without."""

    def get(self, _case: Case, _context: AuthContext) -> str:
        return os.environ[OWN_KEY]

    def set(self, case: Case, data: str, _context: AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


def _names_own_key(case: Case) -> bool:
    return (case.path_parameters or {}).get("key_id") == os.environ[OWN_KEY_ID]


def _keep_at_home(body: dict[str, Any]) -> None:
    """No request may make the server look up or call a name outside this machine."""
    url = body.get("url")
    if isinstance(url, str) and url:
        body["url"] = NOWHERE


def _fits(case: Case) -> Callable[[object], bool]:
    """Whether a value is an event by the document that is served."""
    document = case.operation.schema.raw_schema
    schema = {"$ref": "#/components/schemas/EventIn", "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """False for what the contract says in words that a JSON schema can not."""
    label = case.operation.label
    match type(failure).__name__:
        case "AcceptedNegativeData" if label == "POST /v1/events":
            return not wrong_events_are_rejected(case.body, response.json(), _fits(case))
        case "RejectedPositiveData" if response.status_code == 400:
            return not is_documented_refusal(label, json.loads(response.content)["error"])
    return True
