"""Which provider a name means: our own list of spellings, matched exactly.

genai-prices matches provider names by substring (`openai` in `azure_openai`), which would bill one
company's calls at another's prices. Here a name is a provider only when it is listed: the ids of
the price data themselves, and the spellings of OpenTelemetry, LiteLLM, LangChain, Pydantic AI and
the Vercel AI SDK. Case and the separators `. _ - / space` do not distinguish names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MAX_NAME_CHARS: Final = 256
"""Names beyond this are not looked up, so that nothing a client sends is kept at any length."""

LITELLM: Final = "litellm"

_SEPARATORS = re.compile(r"[\s._\-/]+")

_SPELLINGS: Final[dict[str, tuple[str, ...]]] = {
    "anthropic": ("claude", "anthropic.messages"),
    "avian": ("avian.io",),
    "aws": (
        "bedrock",
        "aws.bedrock",
        "amazon",
        "amazon.bedrock",
        "aws.bedrock.converse",
        "bedrock.converse",
        "amazon.bedrock.converse",
        "bedrock.runtime",
        "aws.bedrock.runtime",
    ),
    "azure": (
        "azure.openai",
        "azure.ai.openai",
        "az.ai.openai",
        "openai.azure",
        "azure.ai",
        "azure.ai.inference",
        "az.ai.inference",
        "azure.ai.foundry",
        "azure.foundry",
        "microsoft.azure",
        "azure.openai.responses",
        "azure.chat.openai",
        "azure.cognitive.services",
    ),
    "cohere": ("co.here", "cohere.chat", "cohere.ai"),
    "deepseek": ("deep.seek", "deepseek.ai", "deepseek.chat"),
    "elevenlabs": ("eleven.labs",),
    "fireworks": ("fireworks.ai", "accounts.fireworks"),
    "github-copilot": ("copilot", "githubcopilot"),
    "google": (
        "gemini",
        "vertex",
        "vertexai",
        "vertex.ai",
        "google.vertex",
        "google.vertexai",
        "google.vertex.ai",
        "gcp.vertex.ai",
        "gcp.vertexai",
        "gcp.vertex",
        "gcp.gemini",
        "gcp.gen.ai",
        "gcp.genai",
        "google.genai",
        "google.gen.ai",
        "google.gla",
        "google.ai",
        "google.ai.studio",
        "google.gemini",
        "google.generative.ai",
        "google.generativeai",
        "google.aistudio",
        "vertex.ai.language.models",
        "vertex.ai.beta",
        "google.vertex.anthropic",
        "vertex.ai.anthropic.models",
        "chat.google.generative.ai",
        "google.cloud.vertexai",
    ),
    "groq": ("groqcloud", "groq.cloud"),
    "mistral": ("mistralai", "mistral.ai", "mistral.ai.chat"),
    "moonshotai": ("moonshot", "moonshot.ai", "kimi"),
    "novita": ("novita.ai",),
    "openai": (
        "open.ai",
        "openai.chat",
        "openai.responses",
        "openai.completions",
        "chat.openai",
        "text.completion.openai",
        "openai.chat.completions",
    ),
    "openrouter": ("open.router", "openrouter.ai"),
    "perplexity": ("perplexity.ai", "perplexityai", "pplx"),
    "together": ("together.ai", "togetherai", "together.xyz"),
    "voyageai": ("voyage", "voyage.ai"),
    "x-ai": ("xai", "x.ai", "grok"),
    "zai": ("z.ai",),
    "zhipuai": ("zhipu", "zhipu.ai", "bigmodel"),
    "minimax": ("minimax.ai",),
    "ovhcloud": ("ovh", "ovhcloud.ai"),
    "cloudflare": ("cloudflare.workers.ai", "workers.ai"),
}


def normalized(name: str) -> str:
    """A provider's name in lower case with one kind of separator."""
    return _SEPARATORS.sub("-", name.strip().lower()).strip("-")


class ProviderNames:
    """The spellings of the providers that the price data knows."""

    def __init__(self, provider_ids: Iterable[str]) -> None:
        ids = list(provider_ids)
        self._by_spelling = {normalized(provider): provider for provider in ids}
        for provider, spellings in _SPELLINGS.items():
            if provider in ids:
                for spelling in spellings:
                    self._by_spelling.setdefault(normalized(spelling), provider)

    def find(self, name: str) -> str | None:
        """The provider's id in the price data, or None: there is no nearest match."""
        if len(name) > MAX_NAME_CHARS:
            return None
        return self._by_spelling.get(normalized(name))

    def find_with_model(self, name: str, model: str) -> tuple[str, str] | None:
        """The provider and the model to look up; `litellm` names its provider before a slash."""
        if normalized(name) == LITELLM:
            prefix, slash, rest = model.partition("/")
            provider = self.find(prefix) if slash else None
            return (provider, rest) if provider is not None else None
        provider = self.find(name)
        return None if provider is None else (provider, model)
