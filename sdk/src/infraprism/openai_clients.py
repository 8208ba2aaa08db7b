"""OpenAI's and Azure OpenAI's clients, measured. Needs `pip install infraprism[openai]`."""

from __future__ import annotations

from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

from infraprism.instrumentation import TrackedAsync, TrackedSync, tracked


@tracked(OpenAI)
class InfraPrismOpenAI(TrackedSync, OpenAI):
    """`openai.OpenAI`; every call takes entity_type, entity_id, session_id and tags as well."""


@tracked(AsyncOpenAI)
class AsyncInfraPrismOpenAI(TrackedAsync, AsyncOpenAI):
    """`openai.AsyncOpenAI`; every call takes entity_type, entity_id, session_id and tags."""


@tracked(AzureOpenAI)
class InfraPrismAzureOpenAI(TrackedSync, AzureOpenAI):
    """`openai.AzureOpenAI`; every call takes entity_type, entity_id, session_id and tags."""


@tracked(AsyncAzureOpenAI)
class AsyncInfraPrismAzureOpenAI(TrackedAsync, AsyncAzureOpenAI):
    """`openai.AsyncAzureOpenAI`; every call takes entity_type, entity_id, session_id and tags."""
