"""Deliveries: from the outbox to a receiver, over failures, redirects, rotations and time."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from standardwebhooks import Webhook

from infraprism_server.secret_box import SecretBox
from infraprism_server.webhooks.attempt import DELAYS_SECONDS
from infraprism_server.webhooks.connection import MAX_RESPONSE_BYTES
from infraprism_server.webhooks.deliveries import KEPT_US
from infraprism_server.webhooks.schemas import ChangeWebhook

ANN = 1
pytestmark = pytest.mark.usefixtures("ann_is_one")


def verified(hook, received) -> dict:
    """What a receiver with the spec's own library gets, whatever the clock of the test says."""
    library = Webhook(hook.secret)
    headers = received.headers
    moment = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    signed = library.sign(headers["webhook-id"], moment, received.body.decode())
    assert signed in headers["webhook-signature"].split(" ")
    return json.loads(received.body)


def test_a_message_arrives_signed_in_the_specs_shape(house, receiver) -> None:
    hook = house.hook(ANN, receiver.url)
    message = house.tell(ANN)
    assert house.worker().run_due() == 1
    (received,) = receiver.got
    body = verified(hook, received)
    assert body["type"] == "limit.reached"
    assert body["timestamp"] == "2026-03-01T12:00:00Z"
    assert body["data"]["text"] == "x"
    assert received.headers["webhook-id"] == message
    assert received.headers["content-type"] == "application/json"
    (delivery,) = house.deliveries(ANN, hook.id)
    assert (delivery.status, delivery.message_id, delivery.next_attempt_at) == (
        "delivered",
        message,
        None,
    )
    (attempt,) = delivery.attempts
    assert (attempt.status_code, attempt.response_excerpt, attempt.error) == (200, "thanks", None)
    assert house.worker().run_due() == 0


def test_each_endpoint_gets_what_it_subscribes_to_and_nothing_of_other_accounts(
    house, receiver, cast
) -> None:
    house.hook(ANN, receiver.url + "/both", "limit.reached", "export.completed")
    house.hook(ANN, receiver.url + "/exports", "export.completed")
    off = house.hook(ANN, receiver.url + "/off")
    house.service.change(ANN, off.id, ChangeWebhook(enabled=False))
    house.hook(cast.bob.number, receiver.url + "/bob", "limit.reached")
    house.tell(ANN, "limit.reached")
    house.tell(ANN, "export.completed")
    house.worker().run_due()
    assert sorted(received.path for received in receiver.got) == [
        "/hook/both",
        "/hook/both",
        "/hook/exports",
    ]


def test_r28_ten_attempts_over_75_hours_with_one_id_and_new_timestamps(
    house, receiver, clock
) -> None:
    hook = house.hook(ANN, receiver.url)
    receiver.status = 503
    message = house.tell(ANN)
    worker = house.worker()
    began_us = clock.now_us()
    made = []
    while True:
        made += [clock.now_us()] * worker.run_due()
        (delivery,) = house.deliveries(ANN, hook.id)
        if delivery.next_attempt_at is None:
            break
        wait_us = delivery.next_attempt_at.us - clock.now_us()
        clock.advance(timedelta(microseconds=wait_us - 1))
        assert worker.run_due() == 0
        clock.advance(timedelta(microseconds=1))
    waits = [(later - earlier) / 1e6 for earlier, later in pairwise(made)]
    assert len(made) == len(receiver.got) == 10
    for wait, delay in zip(waits, DELAYS_SECONDS[1:], strict=True):
        assert 0.9 * delay <= wait <= 1.1 * delay
    assert waits != list(DELAYS_SECONDS[1:])
    assert 67 < (made[-1] - began_us) / 3.6e9 < 84
    assert {received.headers["webhook-id"] for received in receiver.got} == {message}
    assert len({received.headers["webhook-timestamp"] for received in receiver.got}) == 10
    assert len({received.body for received in receiver.got}) == 1
    for received in receiver.got:
        verified(hook, received)
    assert (delivery.status, len(delivery.attempts)) == ("failed", 10)


def test_r30_retry_after_is_waited_for(house, receiver, clock) -> None:
    hook = house.hook(ANN, receiver.url)
    receiver.status = 429
    receiver.headers = {"Retry-After": "3600"}
    house.tell(ANN)
    house.worker().run_due()
    clock.advance(timedelta(minutes=59))
    assert house.worker().run_due() == 0
    clock.advance(timedelta(minutes=1))
    receiver.status = 204
    receiver.body = b""
    assert house.worker().run_due() == 1
    assert house.deliveries(ANN, hook.id)[0].status == "delivered"


def test_r30_gone_disables_at_once_and_what_waited_can_be_sent_again(
    house, receiver, clock
) -> None:
    hook = house.hook(ANN, receiver.url)
    receiver.status = 500
    house.tell(ANN, text="waits")
    house.worker().run_due()
    receiver.status = 410
    house.tell(ANN, text="gone")
    house.worker().run_due()
    now = house.service.get(ANN, hook.id)
    assert (now.enabled, now.disabled_reason) == (False, "The endpoint answered 410 Gone")
    assert {each.status for each in house.deliveries(ANN, hook.id)} == {"failed"}
    house.tell(ANN, text="nobody listens")
    house.worker().run_due()
    assert len(house.deliveries(ANN, hook.id)) == 2
    receiver.status = 200
    house.service.change(ANN, hook.id, ChangeWebhook(enabled=True))
    for each in house.deliveries(ANN, hook.id):
        house.service.redeliver(ANN, hook.id, each.id)
    assert house.worker().run_due() == 2
    again = house.deliveries(ANN, hook.id)
    assert {each.status for each in again} == {"delivered"}
    assert {len(each.attempts) for each in again} == {2}
    assert house.service.get(ANN, hook.id).disabled_reason is None


def test_r31_five_days_of_only_failures_disable_and_one_success_starts_anew(
    house, receiver, clock
) -> None:
    hook = house.hook(ANN, receiver.url)
    worker = house.worker()

    def day(status: int) -> None:
        receiver.status = status
        house.tell(ANN)
        worker.run_due()
        clock.advance(timedelta(days=1))

    for status in (500, 500, 500, 500, 200, 500, 500, 500, 500, 500):
        day(status)
    assert house.service.get(ANN, hook.id).enabled
    day(500)
    now = house.service.get(ANN, hook.id)
    assert not now.enabled
    assert now.disabled_reason is not None
    assert now.disabled_reason.startswith("Every delivery has failed since 2026-03-06")


def test_r30_redirects_are_not_followed(house, receiver) -> None:
    hook = house.hook(ANN, receiver.url)
    receiver.status = 307
    receiver.headers = {"Location": receiver.url + "/elsewhere"}
    house.tell(ANN)
    house.worker().run_due()
    assert [received.path for received in receiver.got] == ["/hook"]
    assert house.deliveries(ANN, hook.id)[0].attempts[0].status_code == 307


def test_r30_of_an_endless_response_64_kib_are_read_and_its_status_counts(house, receiver) -> None:
    hook = house.hook(ANN, receiver.url)
    sent = []
    cut = threading.Event()

    def endless(_, handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while True:
                sent.append(handler.wfile.write(b"\x1bx" * 8192))
        except OSError:
            cut.set()

    receiver.answer = endless
    house.tell(ANN)
    began = time.monotonic()
    house.worker().run_due()
    assert time.monotonic() - began < 5
    assert cut.wait(5)
    (attempt,) = house.deliveries(ANN, hook.id)[0].attempts
    assert attempt.status_code == 200
    assert len(attempt.response_excerpt) <= 1_024
    assert "\x1b" not in attempt.response_excerpt
    assert MAX_RESPONSE_BYTES == 65_536


def test_an_endpoint_that_does_not_answer_times_out_and_says_so(house, receiver) -> None:
    hook = house.hook(ANN, receiver.url)
    receiver.answer = lambda *_: time.sleep(1)
    house.tell(ANN)
    house.worker(timeout_seconds=0.1).run_due()
    (attempt,) = house.deliveries(ANN, hook.id)[0].attempts
    assert (attempt.status_code, attempt.error) == (None, "no answer within 0.1 s")


def test_nobody_there_is_a_failed_attempt(house) -> None:
    hook = house.hook(ANN, "http://127.0.0.1:9/")
    house.tell(ANN)
    house.worker().run_due()
    (attempt,) = house.deliveries(ANN, hook.id)[0].attempts
    assert attempt.error == "the connection was not accepted"


def test_without_the_operators_permission_nothing_is_sent(house, receiver) -> None:
    """An endpoint that was made while it was allowed, and is not any more."""
    hook = house.hook(ANN, receiver.url)
    house.tell(ANN)
    house.worker(allow_private=False).run_due()
    assert receiver.got == []
    (attempt,) = house.deliveries(ANN, hook.id)[0].attempts
    assert attempt.error == "the address is not a public one"


def test_both_secrets_sign_for_a_day_after_a_rotation(house, receiver, clock) -> None:
    old = house.hook(ANN, receiver.url)
    new = house.service.rotate_secret(ANN, old.id)
    assert new.secret != old.secret
    house.tell(ANN)
    house.worker().run_due()
    for hook in (old, new):
        verified(hook, receiver.got[0])
    clock.advance(timedelta(days=1))
    house.tell(ANN)
    house.worker().run_due()
    verified(new, receiver.got[1])
    with pytest.raises(AssertionError):
        verified(old, receiver.got[1])
    assert house.service.get(ANN, old.id).former_secret_until is None


def test_a_secret_that_can_not_be_read_is_a_failed_attempt_and_blocks_nobody(
    house, receiver
) -> None:
    lost = house.hook(ANN, receiver.url)
    house.tell(ANN)
    house.dispatch.fan_out()
    elsewhere = SecretBox(["another secret that is long enough"])
    with house.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE webhooks SET secret = ?", (elsewhere.seal("x", f"webhook/{lost.id}"),)
        )
    house.hook(ANN, receiver.url + "/good")
    house.tell(ANN)
    house.worker().run_due()
    assert [received.path for received in receiver.got] == ["/hook/good"]
    errors = {each.attempts[0].error for each in house.deliveries(ANN, lost.id)}
    assert all("INFRAPRISM_SECRET_KEY" in error for error in errors)


def test_r31_what_was_given_up_is_shown_and_can_be_sent_again(house, receiver, clock) -> None:
    hook = house.hook(ANN, receiver.url)
    receiver.status = 500
    worker = house.worker()
    told = []
    for _ in range(6):
        told.append(house.tell(ANN))
        worker.run_due()
        clock.advance(timedelta(days=1))
    shown = house.service.get(ANN, hook.id)
    assert (shown.enabled, shown.failing_since is not None) == (False, True)
    assert {each.status for each in house.deliveries(ANN, hook.id)} == {"failed"}
    receiver.status = 200
    receiver.got.clear()
    house.service.change(ANN, hook.id, ChangeWebhook(enabled=True))
    for each in house.deliveries(ANN, hook.id):
        house.service.redeliver(ANN, hook.id, each.id)
    worker.run_due()
    assert {received.headers["webhook-id"] for received in receiver.got} == set(told)


def test_a_new_address_starts_with_a_clean_slate(house, receiver) -> None:
    hook = house.hook(ANN, "http://127.0.0.1:9/")
    house.tell(ANN)
    house.worker().run_due()
    assert house.service.get(ANN, hook.id).failing_since is not None
    changed = house.service.change(ANN, hook.id, ChangeWebhook(url=receiver.url))
    assert changed.failing_since is None


def test_finished_deliveries_are_forgotten_after_a_month(house, receiver, clock) -> None:
    hook = house.hook(ANN, receiver.url)
    house.tell(ANN)
    house.worker().run_due()
    clock.advance(timedelta(microseconds=KEPT_US))
    assert house.service.purge() == 0
    house.tell(ANN, text="waits")
    house.dispatch.fan_out()
    clock.advance(timedelta(microseconds=1))
    assert house.service.purge() == 1
    assert [each.status for each in house.deliveries(ANN, hook.id)] == ["pending"]
