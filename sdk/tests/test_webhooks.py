"""`infraprism.webhooks.verify` believes what the independent library signed, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from standardwebhooks import Webhook

import infraprism
from infraprism.webhooks import WebhookVerificationError, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = json.dumps(
    {
        "type": "limit.reached",
        "timestamp": "2026-03-01T12:00:00Z",
        "data": {"limit_id": "lim_1", "spent": 100.25},
    }
)


def headers(
    secret: str = SECRET, body: str = BODY, moment: datetime | None = None
) -> dict[str, str]:
    when = moment or datetime.now(UTC)
    return {
        "Webhook-Id": "msg_1",
        "WEBHOOK-TIMESTAMP": str(int(when.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", when, body),
    }


def test_r27_a_message_signed_by_the_independent_library_is_read_exactly() -> None:
    message = infraprism.webhooks.verify(headers(), BODY.encode(), SECRET)
    assert (message.id, message.type) == ("msg_1", "limit.reached")
    assert message.timestamp == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert message.data == {"limit_id": "lim_1", "spent": Decimal("100.25")}


def test_r27_any_flipped_bit_of_the_body_or_the_signature_is_refused() -> None:
    good = headers()
    for place in range(len(BODY)):
        changed = bytearray(BODY.encode())
        changed[place] ^= 1 << (place % 8)
        with pytest.raises(WebhookVerificationError):
            verify(good, bytes(changed), SECRET)
    signature = good["webhook-signature"]
    for place in range(len("v1,"), len(signature) - 2):
        other = "A" if signature[place] != "A" else "B"
        bad = {**good, "webhook-signature": signature[:place] + other + signature[place + 1 :]}
        with pytest.raises(WebhookVerificationError):
            verify(bad, BODY, SECRET)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"Webhook-Id": "msg_2"}, "no signature fits"),
        ({"Webhook-Id": ""}, "webhook-id is missing"),
        ({"WEBHOOK-TIMESTAMP": "soon"}, "not a number"),
        ({"WEBHOOK-TIMESTAMP": "9" * 500}, "no signature fits"),
        ({"webhook-signature": "v1,not base64 v2,AAAA"}, "no signature fits"),
    ],
)
def test_headers_that_do_not_fit_are_refused(change: dict[str, str], says: str) -> None:
    with pytest.raises(WebhookVerificationError, match=says):
        verify({**headers(), **change}, BODY, SECRET)


def test_another_secret_does_not_fit_and_of_two_while_it_is_rotated_both_do() -> None:
    both = headers()
    with pytest.raises(WebhookVerificationError):
        verify(both, BODY, OTHER)
    both["webhook-signature"] += " " + headers(OTHER)["webhook-signature"]
    assert verify(both, BODY, SECRET).id == verify(both, BODY, OTHER).id == "msg_1"


def test_an_old_message_is_refused_however_well_it_is_signed() -> None:
    old = headers(moment=datetime.now(UTC) - timedelta(minutes=6))
    with pytest.raises(WebhookVerificationError, match="too old"):
        verify(old, BODY, SECRET)
    assert verify(old, BODY, SECRET, tolerance_seconds=3_600).id == "msg_1"


def test_a_well_signed_body_that_is_no_message_is_refused() -> None:
    for body in ("[]", "{}", "not json", '{"type": 1}'):
        with pytest.raises(WebhookVerificationError, match="not a message"):
            verify(headers(body=body), body, SECRET)


def test_what_is_no_secret_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match="whsec_"):
        verify(headers(), BODY, "my secret!")


def test_the_check_takes_a_raw_body_as_text_or_bytes() -> None:
    mapping: dict[str, Any] = headers()
    assert verify(mapping, BODY, SECRET) == verify(mapping, BODY.encode(), SECRET)
