"""What a type checker says of the tracked clients. Read by mypy (`make check`), never run.

Each line that is wrong carries the error it must get: an ignore that is not needed fails as well.
"""

from __future__ import annotations

from typing import assert_type

from anthropic.types import Message
from openai import Stream
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from infraprism import (
    AsyncInfraPrismOpenAI,
    InfraPrismAnthropic,
    InfraPrismAzureOpenAI,
    InfraPrismOpenAI,
    attribute,
)


def right(client: InfraPrismOpenAI, claude: InfraPrismAnthropic) -> None:
    answer = client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Hello"}],
        temperature=0.5,
        entity_type="customer",
        entity_id="acme",
        session_id="s",
        tags={"feature": "chatbot"},
    )
    assert_type(answer, ChatCompletion)
    stream = client.chat.completions.create(model="m", messages=[], stream=True, entity_id="a")
    assert_type(stream, Stream[ChatCompletionChunk])
    client.with_options(timeout=4).responses.create(model="m", input="x", session_id="s")
    vectors = client.embeddings.create(model="m", input="x", tags={"a": 1})
    assert_type(vectors, CreateEmbeddingResponse)
    client.audio.speech.create(model="m", voice="alloy", input="x", entity_id="a")
    client.images.generate(prompt="x", entity_id="a")
    client.files.content("file-1", entity_id="a")
    message = claude.messages.create(model="m", max_tokens=1, messages=[], entity_id="a")
    assert_type(message, Message)
    claude.messages.batches.results("msgbatch_1", entity_id="a")
    InfraPrismAzureOpenAI(azure_endpoint="https://x", api_version="v", limits="enforce")


async def awaited(client: AsyncInfraPrismOpenAI) -> None:
    with attribute(entity_type="team", entity_id="search"):
        answer = await client.chat.completions.create(model="m", messages=[], entity_id="a")
    assert_type(answer, ChatCompletion)


def wrong(client: InfraPrismOpenAI) -> None:
    client.chat.completions.create(model="m", messages=[], entity_typ="x")  # type: ignore[call-overload]
    client.embeddings.create(model="m", input="x", entity_id=3)  # type: ignore[arg-type]
    client.embeddings.create(input="x", entity_id="a")  # type: ignore[call-arg]
    client.models.list(entity_id="a")  # type: ignore[call-arg]
    InfraPrismOpenAI(limits="sometimes")  # type: ignore[arg-type]
