"""InfraPrism: what each customer, team and project costs in LLM spend. Metadata only.

Clients are imported at first use, so that `import infraprism` is light and needs neither openai
nor anthropic.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from infraprism._version import __version__
from infraprism.attribution import attribute
from infraprism.recorder import counts, flush, track

if TYPE_CHECKING:
    from infraprism import webhooks
    from infraprism.anthropic_clients import AsyncInfraPrismAnthropic, InfraPrismAnthropic
    from infraprism.api.async_client import AsyncClient
    from infraprism.api.client import Client
    from infraprism.instrumentation import instrument, uninstrument
    from infraprism.limit_errors import CallRefusedError, LimitReachedError, LimitsUnknownError
    from infraprism.openai_clients import (
        AsyncInfraPrismAzureOpenAI,
        AsyncInfraPrismOpenAI,
        InfraPrismAzureOpenAI,
        InfraPrismOpenAI,
    )

_HOMES = {
    "Client": "api.client",
    "AsyncClient": "api.async_client",
    "InfraPrismOpenAI": "openai_clients",
    "AsyncInfraPrismOpenAI": "openai_clients",
    "InfraPrismAzureOpenAI": "openai_clients",
    "AsyncInfraPrismAzureOpenAI": "openai_clients",
    "InfraPrismAnthropic": "anthropic_clients",
    "AsyncInfraPrismAnthropic": "anthropic_clients",
    "instrument": "instrumentation",
    "uninstrument": "instrumentation",
    "CallRefusedError": "limit_errors",
    "LimitReachedError": "limit_errors",
    "LimitsUnknownError": "limit_errors",
}

__all__ = [
    "AsyncClient",
    "AsyncInfraPrismAnthropic",
    "AsyncInfraPrismAzureOpenAI",
    "AsyncInfraPrismOpenAI",
    "CallRefusedError",
    "Client",
    "InfraPrismAnthropic",
    "InfraPrismAzureOpenAI",
    "InfraPrismOpenAI",
    "LimitReachedError",
    "LimitsUnknownError",
    "__version__",
    "attribute",
    "counts",
    "flush",
    "instrument",
    "track",
    "uninstrument",
    "webhooks",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the clients' classes
    if name == "webhooks":
        return importlib.import_module("infraprism.webhooks")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'infraprism' has no attribute {name!r}")
    return getattr(importlib.import_module(f"infraprism.{home}"), name)
