"""The uploader on bad days: nothing is lost uncounted, nothing is doubled, nobody waits for it."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism.counters import Counters
from infraprism.delivery import full_jitter, retry_after
from infraprism.event import FIELDS, instant, new_event_id
from infraprism.queue import EventQueue
from infraprism.uploader import Uploader
from sdk.tests import guest
from sdk.tests.fake_server import FakeServer
from sdk.tests.guest import event


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as fake:
        yield fake


@pytest.fixture
def uploader(server: FakeServer) -> Iterator[Uploader]:
    one = Uploader(f"{server.url}/v1", "ip-key", gather_seconds=0.02)
    yield one
    server.mode = "ok"
    one.close(2)


def test_a_batch_is_gathered_gzipped_and_counted(server: FakeServer, uploader: Uploader) -> None:
    for _ in range(1200):
        uploader.record(event())
    assert uploader.flush(10)
    assert len(server.events) == 1200
    assert max(size for _, size in server.arrivals) <= 500
    assert uploader.counters.snapshot().sent == 1200


def test_r25_after_a_time_of_429_every_event_arrives_once() -> None:
    """The minute of the long form, with seconds in its place."""
    guest.rate_limited(seconds=1.5, events=700)


def test_r39_after_an_outage_100_clients_ask_at_most_twice_as_often_as_before() -> None:
    """In simulated time, with the uploader's own pauses."""
    for seed in range(3):
        before, after = guest.peaks_of_an_outage(seed)
        assert after <= 2 * before, (seed, before, after)


@pytest.mark.parametrize("mode", ["status:500", "status:503", "status:401", "reset"])
def test_events_wait_for_the_server_to_come_back(
    server: FakeServer, uploader: Uploader, mode: str
) -> None:
    server.mode = mode
    uploader.record(event())
    assert not uploader.flush(0.2)
    server.mode = "ok"
    assert uploader.flush(15)
    assert len(server.events) == 1
    assert uploader.counters.snapshot().dropped == {}


def test_an_answer_that_is_lost_does_not_double_events(
    server: FakeServer, uploader: Uploader
) -> None:
    """The server takes the batch and the connection dies: the same ids are sent again."""
    one = event()
    server.take([{**one, "timestamp": instant(one["timestamp"])}])
    uploader.record(one)
    assert uploader.flush(5)
    assert (len(server.events), server.duplicates) == (1, 1)


def test_r39_a_batch_that_is_too_large_is_split(server: FakeServer, uploader: Uploader) -> None:
    server.max_events = 3
    for _ in range(50):
        uploader.record(event())
    assert uploader.flush(10)
    assert len(server.events) == 50


def test_one_event_too_large_is_dropped_and_counted(server: FakeServer, uploader: Uploader) -> None:
    server.max_events = 0
    uploader.record(event())
    assert uploader.flush(10)
    assert uploader.counters.snapshot().dropped == {"too_large": 1}


def test_a_batch_that_can_not_be_read_is_dropped_and_counted_not_sent_for_ever(
    server: FakeServer, uploader: Uploader
) -> None:
    server.mode = "status:422"
    for _ in range(3):
        uploader.record(event())
    assert uploader.flush(5)
    assert uploader.counters.snapshot().dropped == {"refused": 3}


def test_a_field_the_server_does_not_know_is_dropped_once_and_no_spend_is_lost(
    server: FakeServer, uploader: Uploader
) -> None:
    server.known_fields = frozenset(FIELDS) - {"time_to_first_token_ms"}
    for _ in range(2):
        uploader.record(event(time_to_first_token_ms=5, input_tokens=7))
        assert uploader.flush(5)
    assert [stored["input_tokens"] for stored in server.events.values()] == [7, 7]
    assert uploader.counters.snapshot().fields_dropped == {"time_to_first_token_ms": 1}
    assert len([size for _, size in server.arrivals if size]) == 3


def test_only_listed_fields_leave_the_process(server: FakeServer, uploader: Uploader) -> None:
    uploader.record(event(messages="secret", prompt="secret", content="secret"))
    assert uploader.flush(5)
    assert b"secret" not in b"".join(server.raw)


def test_r38_every_drop_is_counted_and_reported_when_the_server_returns(server: FakeServer) -> None:
    """R38: reported = dropped, and what was not dropped arrives."""
    one = Uploader(f"{server.url}/v1", "ip-key", max_events=100, gather_seconds=0.02)
    server.mode = "status:503"
    for _ in range(5000):
        one.record(event())
    server.mode = "ok"
    assert one.flush(20)
    one.close()
    dropped = one.counters.snapshot().dropped["queue_full"]
    assert len(server.events) + dropped == 5000
    assert (
        sum(report["dropped"].get("queue_full", 0) for report in server.reports.values()) == dropped
    )


def test_r38_memory_stays_bounded_against_a_black_hole(server: FakeServer) -> None:
    server.mode = "hang"
    one = Uploader(f"{server.url}/v1", "ip-key", gather_seconds=0.02)
    tracemalloc.start()
    for number in range(30_000):
        one.record(event(entity_type="customer", entity_id=f"customer-{number}"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    one.close(0)
    assert peak < 50 * 1024 * 1024
    assert one.counters.snapshot().dropped["queue_full"] >= 19_000


def test_the_queue_is_bounded_in_bytes_and_the_oldest_gives_way() -> None:
    counters = Counters()
    queue = EventQueue(counters, max_bytes=10_000)
    for number in range(100):
        queue.arrived.append(event(entity_id="x" * 500, number=number))
        queue.admit()
    kept = [one["number"] for one in queue.take(1000)]
    assert kept == list(range(100 - len(kept), 100))
    assert len(kept) + counters.snapshot().dropped["queue_full"] == 100


def test_closing_waits_for_the_server_and_for_nothing_else(
    server: FakeServer, uploader: Uploader
) -> None:
    """The idle second of the upload thread is not a second at the end of each program."""
    uploader.record(event())
    assert uploader.flush(5)
    uploader.record(event())
    began = time.monotonic()
    uploader.close(5)
    assert time.monotonic() - began < 0.9
    assert len(server.events) == 2


def test_many_threads_lose_nothing(server: FakeServer, uploader: Uploader) -> None:
    def work() -> None:
        for _ in range(200):
            uploader.record(event())

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert uploader.flush(10)
    assert len(server.events) == 3200


def test_r40_forked_children_send_their_own_events_and_none_of_the_parents() -> None:
    """The thousand of the long form, with a few in their place."""
    guest.forks(15)


def test_ids_sort_by_time_and_never_repeat() -> None:
    ids = [new_event_id(number * 1_000_000) for number in range(1, 2000)]
    assert ids == sorted(ids)
    assert len({new_event_id(5) for _ in range(20_000)}) == 20_000
    assert all(one[16] == "7" and one[20] in "89ab" for one in ids)


@given(st.integers(0, 2000))
def test_r39_waits_are_spread_and_bounded(attempt: int) -> None:
    assert 0 <= full_jitter(attempt) <= min(60, 0.5 * 2 ** min(attempt, 10))


@pytest.mark.parametrize(
    ("header", "at_least"), [("3", 3.0), ("0", 0.0), ("99999", 300.0), ("-1", None), ("x", None)]
)
def test_r39_retry_after_is_honoured_within_reason(header: str, at_least: float | None) -> None:
    seconds = retry_after(header)
    if at_least is None:
        assert seconds is None
    else:
        assert seconds is not None
        assert at_least <= seconds <= at_least + 1


def test_after_a_flush_a_busy_host_gathers_its_events_again(server: FakeServer) -> None:
    """A flush hurries what is there, not every event from then on."""
    one = Uploader(f"{server.url}/v1", "ip-key", gather_seconds=0.3)
    one.record(event())
    assert one.flush(5)
    for _ in range(60):
        one.record(event())
        time.sleep(0.005)
    assert one.flush(5)
    one.close(2)
    assert len(server.events) == 61
    assert len([size for _, size in server.arrivals if size]) <= 6


def test_r38_memory_stays_bounded_where_no_thread_can_be_started() -> None:
    class WithoutThreads(Uploader):
        def _start_thread(self) -> None:
            pass

    one = WithoutThreads("http://127.0.0.1:9/v1", "ip-key", max_events=100)
    for _ in range(300):
        one.record(event())
    assert len(one.queue.arrived) <= 50
    assert len(one.queue) <= 100
    counts = one.queue.counts()
    assert (counts.queued, counts.dropped) == (300, {"queue_full": 300 - len(one.queue)})


def test_what_no_thread_looks_at_is_bounded_and_counted(server: FakeServer) -> None:
    """The upload thread hangs in a request: the host's threads make room themselves."""
    server.mode = "hang"
    one = Uploader(f"{server.url}/v1", "ip-key", max_events=100, gather_seconds=0.02)
    one.record(event())
    while not server.arrivals:
        time.sleep(0.01)
    for _ in range(300):
        one.record(event())
    assert len(one.queue.arrived) <= 50
    assert len(one.queue) <= 100
    counts = one.queue.counts()
    assert counts.queued == 301
    assert counts.dropped == {"queue_full": 300 - len(one.queue)}
    one.close(0)
