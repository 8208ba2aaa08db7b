"""Those who deliver: killed, stopped, several at once, and beside endpoints that hang."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from infraprism_server.clock import SystemClock
from infraprism_server.webhooks.dispatch import Dispatch

ANN = 1
pytestmark = pytest.mark.usefixtures("ann_is_one")


def test_a_killed_senders_delivery_is_sent_by_the_next_one(house, receiver, clock) -> None:
    house.hook(ANN, receiver.url)
    house.tell(ANN)
    dead = Dispatch(house.engine, clock, house.box)
    dead.fan_out()
    (held,) = dead.lease(10, 10, 4, [])
    assert house.worker().run_due() == 0
    clock.advance(timedelta(seconds=31))
    assert house.worker().run_due() == 1
    assert receiver.got[0].headers["webhook-id"] == held.row.message


def test_a_start_takes_back_what_a_killed_sender_held(house, receiver) -> None:
    house.hook(ANN, receiver.url)
    house.tell(ANN)
    dead = Dispatch(house.engine, house.clock, house.box)
    dead.fan_out()
    assert len(dead.lease(10, 10, 4, [])) == 1
    house.dispatch.take_back()
    assert house.worker().run_due() == 1


def test_a_stopped_sender_gives_back_what_was_under_way(house, receiver) -> None:
    hook = house.hook(ANN, receiver.url)
    arrived = threading.Event()

    def hang(*_) -> None:
        arrived.set()
        time.sleep(2)

    receiver.answer = hang
    house.tell(ANN)
    worker = house.worker()
    worker.start()
    assert arrived.wait(5)
    began = time.monotonic()
    assert worker.stop(5)
    assert time.monotonic() - began < 2
    receiver.answer = None
    assert house.worker().run_due() == 1
    assert house.deliveries(ANN, hook.id)[0].status == "delivered"


@pytest.mark.parametrize(("endpoints", "answered"), [(50, False), (50, True)])
def test_r30_endpoints_that_hang_do_not_hold_up_the_healthy_one(
    house, receiver, endpoints: int, answered: bool
) -> None:
    """New ones, and such as answered until now: what is healthy arrives while they all hang."""
    house.clock = SystemClock()
    arrived: set[str] = set()
    hanging = 0
    over = threading.Event()

    def answer(received, handler) -> None:
        nonlocal hanging
        if received.path.startswith("/hook/hangs"):
            hanging += 1
            over.wait(60)
            return
        arrived.add(received.headers["webhook-id"])
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    receiver.answer = answer
    accounts = [house.account(f"hangs{number}") for number in range(-(-endpoints // 100))]
    for number in range(endpoints):
        house.hook(accounts[number // 100], f"{receiver.url}/hangs/{number}", "anomaly.detected")
    with house.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE webhooks SET answered = {int(answered)}")
    house.hook(ANN, f"{receiver.url}/good", "limit.reached")
    worker = house.worker(timeout_seconds=60)
    worker.start()
    try:
        for account in accounts:
            for _ in range(4):
                house.tell(account, "anomaly.detected")
        wait_until(lambda: hanging >= 50)
        told = {house.tell(ANN) for _ in range(20)}
        wait_until(lambda: arrived == told)
        assert hanging >= 50, "they hang still: none of their attempts is over"
    finally:
        over.set()
        worker.stop(5)


def wait_until(done, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_several_senders_over_one_store_send_each_message_once(house, receiver) -> None:
    hooks = [house.hook(ANN, f"{receiver.url}/{number}") for number in range(3)]
    told = {house.tell(ANN) for _ in range(15)}
    workers = [house.worker() for _ in range(3)]
    threads = [threading.Thread(target=worker.run_due) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    got = [(received.path, received.headers["webhook-id"]) for received in receiver.got]
    assert len(got) == len(set(got)) == len(hooks) * len(told)
    assert {message for _, message in got} == told


def test_a_delivery_that_can_not_be_written_down_holds_up_no_other(house, receiver) -> None:
    poison = house.hook(ANN, f"{receiver.url}/poison")
    good = house.hook(ANN, f"{receiver.url}/good")
    with house.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER poison BEFORE UPDATE OF attempts ON deliveries"
            f" WHEN OLD.webhook = '{poison.id}' BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )
    house.tell(ANN)
    house.worker().run_due()
    assert [each.status for each in house.deliveries(ANN, good.id)] == ["delivered"]
    assert [each.status for each in house.deliveries(ANN, poison.id)] == ["pending"]
