"""Results of batches and answers made in the background: counted once, however often read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

import infraprism
from infraprism.batches import BatchReading, is_results
from infraprism.counters import Counters
from infraprism.event import completed
from infraprism.queue import MAX_LATER_BYTES, EventQueue
from infraprism.recorder import default_uploader
from sdk.tests import wire_formats as wire
from sdk.tests.fake_server import FakeServer
from sdk.tests.mock_provider import MockProvider

Recorded = Callable[[], list[dict[str, Any]]]
CREATED_AT = "2026-09-21T14:13:20.000000Z"
ACME = {"entity_type": "customer", "entity_id": "acme"}


@pytest.fixture
def client(mock: MockProvider, fake: FakeServer) -> Any:
    return infraprism.InfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1", max_retries=0)


@pytest.fixture
def claude(mock: MockProvider, fake: FakeServer) -> Any:
    return infraprism.InfraPrismAnthropic(api_key="k", base_url=mock.url, max_retries=0)


def whole(client: Any, folder: Path) -> None:
    assert b"Hello there" in client.files.content("file-b1", **ACME).content


def raw(client: Any, folder: Path) -> None:
    assert b"Hello there" in client.files.with_raw_response.content("file-b1", **ACME).content


def to_a_file(client: Any, folder: Path) -> None:
    with client.files.with_streaming_response.content("file-b1", **ACME) as answer:
        answer.stream_to_file(folder / "results.jsonl")
    assert b"Hello there" in (folder / "results.jsonl").read_bytes()


def in_pieces(client: Any, folder: Path) -> None:
    with client.files.with_streaming_response.content("file-b1", **ACME) as answer:
        assert b"Hello there" in b"".join(answer.iter_bytes(7))


@pytest.mark.parametrize("way", [whole, raw, to_a_file, in_pieces], ids=lambda way: way.__name__)
def test_an_output_file_is_one_event_for_each_call_that_ran(
    way: Callable[[Any, Path], None], client: Any, recorded: Recorded, tmp_path: Path
) -> None:
    client.batches.retrieve("b1")
    way(client, tmp_path)
    chat, vector, failed = recorded()
    assert (chat["model"], chat["input_tokens"], chat["output_tokens"]) == ("gpt-4o", 120, 30)
    assert (chat["timestamp"], chat["entity_id"]) == (CREATED_AT, "acme")
    assert (vector["model"], vector["input_tokens"]) == ("text-embedding-3-small", 8)
    assert vector["timestamp"] == CREATED_AT, "embeddings have no time of their own: the batch has"
    assert {event["service_tier"] for event in (chat, vector)} == {"batch"}
    assert (failed["success"], failed["error_code"]) == (False, "context_length_exceeded")
    assert "latency_ms" not in chat


def test_reading_results_again_or_elsewhere_counts_nothing_twice(
    client: Any, fake: FakeServer, recorded: Recorded, mock: MockProvider
) -> None:
    client.files.content("file-b1")
    first = {event["id"] for event in recorded()}
    other: Any = infraprism.instrument(client.with_options(timeout=9))
    with other.files.with_streaming_response.content(
        "file-b1", entity_type="team", entity_id="x"
    ) as r:
        r.read()
    assert {event["id"] for event in recorded()} == first
    assert fake.conflicts, "read again for somebody else: the server says that it has them"
    assert infraprism.counts().dropped == {}
    assert infraprism.counts().sent == 6


def test_each_result_can_be_for_somebody_else(claude: Any, recorded: Recorded) -> None:
    def customer(custom_id: str) -> dict[str, Any] | None:
        if "/" not in custom_id:
            raise KeyError(custom_id)
        return {"entity_type": "customer", "entity_id": custom_id.partition("/")[0]}

    with infraprism.attribute(tags={"job": "nightly"}, by_custom_id=customer):
        lines = list(claude.messages.batches.results("msgbatch_1"))
    assert [line.custom_id for line in lines] == ["acme/1", "beta/2", "c", "d"]
    events = recorded()
    assert [event.get("entity_id") for event in events] == ["acme", "beta", None]
    assert events[0]["tags"] == {"job": "nightly"}
    assert (events[0]["input_tokens"], events[0]["service_tier"]) == (120, "batch")
    assert events[0]["timestamp"] == "2026-09-20T11:00:00.000000Z"


def test_anthropic_results_are_counted_sync_and_async_errors_included(
    claude: Any, mock: MockProvider, recorded: Recorded
) -> None:
    assert len(list(claude.messages.batches.results("msgbatch_1"))) == 4
    assert [event["success"] for event in recorded()] == [True, True, False]
    other: Any = infraprism.AsyncInfraPrismAnthropic(api_key="k", base_url=mock.url)

    async def read() -> int:
        results = await other.messages.batches.results("msgbatch_2", **ACME)
        return len([line async for line in results])

    assert asyncio.run(read()) == 4
    events = recorded()
    assert len({event["id"] for event in events}) == len(events) == 6
    assert [event.get("entity_id") for event in events[3:]] == ["acme"] * 3


def test_an_async_client_reads_output_files(mock: MockProvider, recorded: Recorded) -> None:
    client: Any = infraprism.AsyncInfraPrismOpenAI(api_key="k", base_url=f"{mock.url}/v1")

    async def read() -> None:
        assert (await client.files.content("file-b1", **ACME)).content
        async with client.files.with_streaming_response.content("file-b2", **ACME) as answer:
            assert await answer.read()

    asyncio.run(read())
    assert len(recorded()) == 6


def test_other_files_and_failures_are_no_results(client: Any, recorded: Recorded) -> None:
    assert not is_results(b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}\n')
    assert not is_results(b"\x89PNG")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4o")
    assert recorded() == []


def test_a_large_file_waits_for_room_and_no_event_of_it_is_pushed_out(
    fake: FakeServer, recorded: Recorded
) -> None:
    line = wire.openai_batch_lines("gpt-4o", "x" * 50)[0]
    lines = [json.dumps({**line, "id": f"batch_req_{number}"}) for number in range(12_000)]
    content = "\n".join(lines).encode()
    where = default_uploader()
    assert where is not None
    reading = BatchReading(where, "openai", infraprism.attribution.NOBODY, "file", "file-1")
    reading.read_content(content)
    assert infraprism.flush(30)
    assert len(fake.events) == 12_000
    assert where.counters.snapshot().dropped == {}


def test_files_that_wait_are_bounded_and_the_rest_is_counted_by_its_lines() -> None:
    counters = Counters()
    queue = EventQueue(counters)
    half = b"\n" * (MAX_LATER_BYTES // 2)
    for _ in range(3):
        queue.put_later(iter(()), half)
    assert counters.snapshot().dropped == {"queue_full": MAX_LATER_BYTES // 2}
    assert queue.take(10) == []
    assert len(queue) == 0


def test_the_event_of_a_line_holds_nothing_of_its_content() -> None:
    reading = BatchReading(None, "openai", infraprism.attribution.NOBODY, "file", "f")  # type: ignore[arg-type]
    for line in wire.openai_batch_lines("gpt-4o", "secret"):
        assert "secret" not in str(completed(reading.event_of(json.dumps(line).encode()) or {}))


def test_a_background_answer_is_counted_when_it_is_there_once_and_for_who_asked(
    client: Any, mock: MockProvider, recorded: Recorded
) -> None:
    asked = client.responses.create(model="gpt-5-mini", input="x", background=True, **ACME)
    mock.background_status = "in_progress"
    client.responses.retrieve(asked.id)
    assert recorded() == []
    mock.background_status = "completed"
    for _ in range(3):
        client.responses.retrieve(asked.id)
    [event] = recorded()
    assert (event["model"], event["input_tokens"], event["success"]) == ("gpt-5-mini", 120, True)
    assert (event["entity_id"], event["timestamp"]) == ("acme", CREATED_AT)
    mock.background_status = "failed"
    client.responses.retrieve("resp_other")
    assert [(one["success"], one.get("error_type")) for one in recorded()[1:]] == [
        (False, "ResponseFailed")
    ]


def test_a_plain_answer_that_is_looked_at_again_is_not_another_call(
    client: Any, recorded: Recorded
) -> None:
    client.responses.retrieve("resp_plain")
    assert recorded() == []
