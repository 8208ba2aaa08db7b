"""The SDK's reports: added once each, bounded, and summed for their own account alone."""

from __future__ import annotations

import threading
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import Engine

from infraprism_server.clock import FixedClock
from infraprism_server.errors import Conflict, InvalidRequest
from infraprism_server.http.idempotency import idempotent_request
from infraprism_server.http.wire import decode_body, encode
from infraprism_server.sdk_reports.findings import finding
from infraprism_server.sdk_reports.health import MAX_DAYS, MAX_VERSIONS, OTHER, Count, summed
from infraprism_server.sdk_reports.schemas import SdkHealth, SdkReport, health_out
from infraprism_server.sdk_reports.service import MAX_NAMES, MAX_SENDERS, SdkReportService
from server.tests.conftest import Cast


@pytest.fixture
def service(engine: Engine, clock: FixedClock) -> SdkReportService:
    return SdkReportService(engine, clock)


def report(version: str = "0.1.0", **fields: object) -> SdkReport:
    body = {"version": version, "runtime": "python 3.12.4", **fields}
    return decode_body(msgspec.json.encode(body), SdkReport)


def claim(key: str, body: bytes = b"body") -> object:
    return idempotent_request(key, "POST /v1/sdk/reports", body)


def test_reports_add_up_by_version_reason_and_day(
    service: SdkReportService, cast: Cast, clock: FixedClock
) -> None:
    ann = cast.ann.number
    service.take(ann, report(queued=10, sent=7, dropped={"queue_full": 3}), None)
    clock.advance(timedelta(days=1))
    service.take(ann, report(queued=5, sent=4, dropped={"queue_full": 1, "at_exit": 2}), None)
    service.take(ann, report("0.2.0", sent=9, fields_dropped={"session_id": 4}), None)
    out = health_out(service.health(ann))
    assert (out.reports, out.queued, out.sent, out.dropped_events) == (3, 15, 20, 6)
    assert out.dropped == {"queue_full": 4, "at_exit": 2}
    assert out.fields_dropped == {"session_id": 4}
    assert [(one.version, one.sent) for one in out.versions] == [("0.1.0", 11), ("0.2.0", 9)]
    assert [(one.date, one.sent, one.dropped_events) for one in out.by_day] == [
        ("2026-03-01", 7, 3),
        ("2026-03-02", 13, 3),
    ]
    assert out.last_report_at is not None
    assert out.last_report_at.us == clock.now_us()
    today = health_out(service.health(ann, days=1))
    assert (today.sent, today.dropped_events) == (13, 3)


def test_a_report_that_is_sent_again_is_counted_once(service: SdkReportService, cast: Cast) -> None:
    one = report(sent=7, dropped={"queue_full": 3})
    answers = {service.take(cast.ann.number, one, claim("k1")) for _ in range(5)}  # type: ignore[arg-type]
    assert len(answers) == 1
    with pytest.raises(Conflict):
        service.take(cast.ann.number, one, claim("k1", b"another body"))  # type: ignore[arg-type]
    health = service.health(cast.ann.number)
    assert (health.total.reports, health.total.sent, health.total.dropped_events) == (1, 7, 3)


def test_reports_from_many_at_once_lose_and_double_nothing(
    service: SdkReportService, cast: Cast
) -> None:
    one = report(queued=2, dropped={"queue_full": 1})

    def send(number: int) -> None:
        for turn in range(5):
            service.take(cast.ann.number, one, claim(f"{number % 4}-{turn}"))  # type: ignore[arg-type]

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = service.health(cast.ann.number).total
    assert (total.reports, total.queued, total.dropped) == (20, 40, {"queue_full": 20})


def test_no_account_sees_what_another_reported(service: SdkReportService, cast: Cast) -> None:
    service.take(cast.ann.number, report(sent=7), None)
    assert service.health(cast.bob.number).total.reports == 0


def test_versions_and_reasons_without_end_are_summed_as_other(
    service: SdkReportService, cast: Cast
) -> None:
    ann = cast.ann.number
    for number in range(MAX_SENDERS + 20):
        service.take(ann, report(f"1.{number}", sent=1, dropped={f"reason_{number}": 1}), None)
    health = service.health(ann)
    total = health.total
    assert (total.sent, total.dropped_events) == (MAX_SENDERS + 20, MAX_SENDERS + 20)
    assert len(health.versions) <= MAX_SENDERS + 1
    assert total.dropped[OTHER] == 20
    assert len(total.dropped) == MAX_NAMES + 1


def test_what_is_older_than_it_is_kept_is_forgotten(
    service: SdkReportService, cast: Cast, clock: FixedClock
) -> None:
    service.take(cast.ann.number, report(sent=1), None)
    clock.advance(timedelta(days=MAX_DAYS - 1))
    service.purge()
    assert service.health(cast.ann.number, MAX_DAYS).total.sent == 1
    clock.advance(timedelta(days=1))
    service.purge()
    assert service.health(cast.ann.number, MAX_DAYS + 1).total.sent == 0


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"queued": -1}, "queued"),
        ({"sent": 10**10}, "sent"),
        ({"dropped": {"Queue Full": 1}}, "dropped"),
        ({"dropped": {f"r{n}": 1 for n in range(33)}}, "dropped"),
        ({"version": "a prompt with blanks"}, "version"),
        ({"prompt": "Hello"}, "prompt"),
    ],
)
def test_a_wrong_report_names_its_field(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as wrong:
        report(**fields)
    assert str(wrong.value.param).startswith(param)


def test_a_runtime_is_one_printable_line(service: SdkReportService, cast: Cast) -> None:
    with pytest.raises(InvalidRequest) as wrong:
        service.take(cast.ann.number, report(runtime="two\nlines"), None)
    assert wrong.value.param == "runtime"


def test_more_versions_than_are_shown_are_one_line_and_the_sum_stays_exact() -> None:
    counts = [
        Count(1, f"1.{number}", "python", kind, "", 1, number)
        for number in range(MAX_VERSIONS + 5)
        for kind in ("reports", "sent")
    ]
    health = summed(counts, 0)
    assert len(health.versions) == MAX_VERSIONS + 1
    assert sum(totals.sent for _, _, totals in health.versions) == MAX_VERSIONS + 5
    assert health.versions[-1][0] == OTHER
    assert health.versions[-1][2].sent == 5


def test_the_doctor_warns_of_lost_events_and_says_why() -> None:
    quiet = finding(summed([], 0))
    assert (quiet.status, quiet.text) == ("ok", "no SDK has reported in 7 days")
    sent = Count(1, "0.1.0", "python", "sent", "", 1200, 5)
    seen = Count(1, "0.1.0", "python", "reports", "", 1, 5)
    fine = finding(summed([seen, sent], 0))
    assert (fine.status, fine.text) == ("ok", "7 days: 1,200 events sent by SDK 0.1.0; 0 dropped")
    lost = Count(1, "0.1.0", "python", "dropped", "queue_full", 3, 5)
    warned = finding(summed([seen, sent, lost], 0))
    assert warned.status == "warn"
    assert "3 dropped (queue_full 3)" in warned.text
    assert "queue_full: the server was away" in str(warned.advice)


def test_health_is_json_with_exact_counts(service: SdkReportService, cast: Cast) -> None:
    service.take(cast.ann.number, report(sent=10**9), None)
    body = encode(health_out(service.health(cast.ann.number)))
    assert msgspec.json.decode(body)["sent"] == 10**9
    assert set(msgspec.json.decode(body)) == set(SdkHealth.__struct_fields__)
