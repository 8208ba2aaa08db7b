"""The price book: the card a call is charged by, from price data and corrections, in microseconds.

The price data (genai-prices) is imported at the first lookup or by `warm`, not at import: it takes
about half a second. A model is compiled when it is first asked for. What is kept is bounded: known
and unknown names have a cache each, so that a flood of unknown ones evicts nothing of use.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from infraprism_server.pricing.corrections import Corrections, bundled_corrections
from infraprism_server.pricing.providers import MAX_NAME_CHARS, ProviderNames
from infraprism_server.pricing.rate_card import SERVICE_TIERS
from infraprism_server.pricing.schedule import Priced, PriceSource, Schedule, compiled

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

_MAX_KNOWN: Final = 8_192
_MAX_UNKNOWN: Final = 8_192

_Value = TypeVar("_Value")
_Key = tuple[str, str, str]


class ListedModel(msgspec.Struct, frozen=True):
    """One model of the price data."""

    provider: str
    model: str
    name: str | None
    deprecated: bool


class _Data:
    """The price data and the spellings of its providers."""

    def __init__(self, providers: list[Provider]) -> None:
        self.providers = {provider.id: provider for provider in providers}
        self.all = providers
        self.names = ProviderNames(self.providers)


class PriceBook:
    """Every list price we know. Thread-safe; answers None for what it does not know."""

    def __init__(self, corrections: Corrections | None = None) -> None:
        self._corrections = corrections or bundled_corrections()
        self.version = (
            f"genai-prices {version('genai-prices')}, corrections {self._corrections.version}"
        )
        self._lock = threading.Lock()
        self._data: _Data | None = None
        self._known: dict[_Key, Schedule] = {}
        self._unknown: dict[_Key, None] = {}

    def warm(self) -> None:
        """Read the price data now, for instance in a thread while the server starts."""
        self._loaded()

    def find(self, provider: str, model: str, service_tier: str, at_us: int) -> Priced | None:
        """The card in force for a model at a tier and an instant, or None: no price is known."""
        key = (provider, model, service_tier)
        schedule = self._known.get(key)
        if schedule is None:
            if key in self._unknown:
                return None
            schedule = self._compile(key)
            if schedule is None:
                return None
        return schedule.at(at_us)

    def find_schedule(self, provider: str, model: str, service_tier: str) -> Schedule | None:
        """All cards of a model at a tier, or None for an unknown one."""
        key = (provider, model, service_tier)
        if key in self._unknown:
            return None
        return self._known.get(key) or self._compile(key)

    def provider_id(self, provider: str) -> str | None:
        """The provider's id in the price data for any of its spellings, or None."""
        return self._loaded().names.find(provider)

    def models(self, provider: str | None = None) -> Iterable[ListedModel]:
        """The models of the price data, by provider and name; of one provider if it is given."""
        data = self._loaded()
        wanted = data.names.find(provider) if provider is not None else None
        for listed in data.all:
            if provider is None or listed.id == wanted:
                for info in listed.models:
                    yield ListedModel(listed.id, info.id, info.name, bool(info.deprecated))

    def cached_names(self) -> int:
        """How many names are kept; bounded by 16,384."""
        return len(self._known) + len(self._unknown)

    def _loaded(self) -> _Data:
        data = self._data
        if data is None:
            with self._lock:
                if self._data is None:
                    from genai_prices.data import providers  # noqa: PLC0415 - see the module

                    self._data = _Data(providers)
                data = self._data
        return data

    def _compile(self, key: _Key) -> Schedule | None:
        provider, model, service_tier = key
        if (
            len(provider) > MAX_NAME_CHARS
            or len(model) > MAX_NAME_CHARS
            or service_tier not in SERVICE_TIERS
        ):
            return None
        source = self._source(provider, model, service_tier)
        schedule = compiled(source, service_tier) if source is not None else None
        if schedule is None or schedule.is_empty:
            _keep(self._unknown, key, None, _MAX_UNKNOWN)
            return None
        _keep(self._known, key, schedule, _MAX_KNOWN)
        return schedule

    def _source(self, provider: str, model: str, service_tier: str) -> PriceSource | None:
        data = self._loaded()
        named = data.names.find_with_model(provider, model)
        if named is None:
            return None
        provider_id, model_name = named
        listed = data.providers[provider_id]
        info = listed.find_model(model_name, all_providers=data.all)
        listed_by = _lister(data, listed, info)
        price_rows = self._corrections.price_rows(listed_by or provider_id, model_name)
        if info is None and not any(row.kind == "replace" for row in price_rows):
            return None
        lender = data.providers[listed_by or provider_id]
        others = {
            row.same_as: other
            for row in price_rows
            if row.same_as and (other := lender.find_model(row.same_as)) is not None
        }
        return PriceSource(
            provider=provider_id,
            model=info.id if info is not None else model_name.lower(),
            info=info,
            listed_by=listed_by,
            others=others,
            price_rows=price_rows,
            tier_rows=self._corrections.tier_rows(provider_id, model_name, service_tier),
            version=self.version,
        )


def _lister(data: _Data, listed: Provider, info: ModelInfo | None) -> str | None:
    """The provider whose price list was used, where it is not the one that was asked."""
    if info is None or any(info is own for own in listed.models):
        return None
    return next(
        other
        for other in listed.fallback_model_providers or ()
        if any(info is own for own in data.providers[other].models)
    )


def _keep(cache: dict[_Key, _Value], key: _Key, value: _Value, limit: int) -> None:
    if len(cache) >= limit:
        cache.clear()
    cache[key] = value
