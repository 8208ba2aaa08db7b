"""A canary in every place that can hold content; every byte that leaves is searched for it.

python -m sdk.tests.privacy 100 7     # rounds of calls, seed; exit 1 where it was found
"""

from __future__ import annotations

import base64
import json
import logging
import sys
import tempfile
import urllib.parse
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import infraprism
from sdk.tests import wire_formats as wire
from sdk.tests.fake_server import FakeServer
from sdk.tests.guest import network_watched, reporting_to
from sdk.tests.mock_provider import MockProvider

CALLS_A_ROUND = 22


def encodings(text: str) -> list[bytes]:
    """The canary as it may travel: as it is, in hex, in a URL, in base64, in wide characters."""
    raw = text.encode()
    return [
        raw,
        raw[::-1],
        raw.hex().encode(),
        urllib.parse.quote(text).encode(),
        text.encode("utf-16-le"),
        json.dumps(text).encode()[1:-1],
        *(base64.b64encode(b"x" * shift + raw)[shift + 2 : -4] for shift in range(3)),
    ]


def calls(gpt: Any, claude: Any, canary: str, folder: Path) -> None:
    """One call of every kind, with the canary wherever a host can put content."""
    told = [{"role": "user", "content": canary}]
    tool = {"name": canary, "description": canary, "parameters": {"type": "object"}}
    tools: Any = [{"type": "function", "function": tool}]
    chat = gpt.chat.completions
    chat.create(model="m", messages=told, metadata={"a": canary}, user=canary, stop=canary)
    chat.create(model="m", messages=told, tools=tools, tool_choice="required")
    list(chat.create(model="m", messages=told, stream=True, extra_body={"x": canary}))
    chat.with_raw_response.create(model="m", messages=told, extra_query={"q": canary})
    with chat.with_streaming_response.create(model="m", messages=told) as answer:
        answer.read()
    with chat.stream(model="m", messages=told) as events:
        events.get_final_completion()
    gpt.responses.create(model="m", input=canary, instructions=canary)
    gpt.responses.parse(model="m", input=canary, prompt_cache_key=canary)
    with gpt.responses.stream(model="m", input=canary) as events:
        assert canary in events.get_final_response().output_text
    gpt.embeddings.create(model="m", input=canary)
    gpt.images.generate(model="m", prompt=canary)
    gpt.images.edit(model="m", prompt=canary, image=(f"{canary}.png", canary.encode()))
    sound = (f"{canary}.wav", canary.encode())
    gpt.audio.transcriptions.create(model="m", file=sound, prompt=canary)
    gpt.audio.speech.create(model="m", voice="alloy", input=canary, instructions=canary)
    assert canary in gpt.files.content("file-1").text
    for model in ("fails-400", "fails-401", "fails-429", "fails-500"):
        with suppress(Exception):
            chat.create(model=model, messages=told)
    with suppress(Exception):
        list(chat.create(model="breaks", messages=told, stream=True))
    messages: Any = {"model": "m", "max_tokens": 9, "messages": told, "system": canary}
    claude.messages.create(**messages, extra_headers={"x-note": canary})
    with claude.messages.stream(**messages) as stream:
        stream.until_done()
    list(claude.messages.batches.results("msgbatch_1"))
    usage = {**wire.CHAT_USAGE, "note": canary, "service_tier": canary}
    infraprism.track(provider="openai", model="m", usage=usage, service_tier=canary)
    (folder / "of-the-host").write_text(canary)


def found_in(rounds: int, seed: int) -> tuple[int, list[str]]:
    """How many events were reported, and where the canary was found."""
    canary = f"canary-{Random(seed).randbytes(8).hex()}"
    wanted = encodings(canary)
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("infraprism").addHandler(handler)
    found: list[str] = []
    with (
        MockProvider() as mock,
        FakeServer() as fake,
        reporting_to(fake.url),
        tempfile.TemporaryDirectory() as folder,
        network_watched() as seen,
    ):
        mock.answer_text = canary
        gpt: Any = infraprism.InfraPrismOpenAI(
            api_key="k", base_url=f"{mock.url}/v1", max_retries=0
        )
        claude: Any = infraprism.InfraPrismAnthropic(api_key="k", base_url=mock.url, max_retries=0)
        events = 0
        for _ in range(rounds):
            calls(gpt, claude, canary, Path(folder))
            assert infraprism.flush(30)
            sent = b"".join(fake.raw)
            found += [f"bytes sent, as {one!r}" for one in wanted if one in sent]
            events += len(fake.events)
            fake.raw.clear()
            fake.events.clear()
        gpt.close()
        claude.close()
        ports = {int(url.rpartition(":")[2]) for url in (mock.url, fake.url)}
        strangers = [one for one in seen if one[0] == "socket.connect" and one[2][1] not in ports]
    logging.getLogger("infraprism").removeHandler(handler)
    found += [f"a connection to {one[2]}" for one in strangers]
    found += [f"the log: {line}" for line in told if canary in line]
    return events, found


def main() -> int:
    rounds, seed = int(sys.argv[1]), int(sys.argv[2])
    events, found = found_in(rounds, seed)
    sys.stdout.write(f"{events} events, found: {found[:3]}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
