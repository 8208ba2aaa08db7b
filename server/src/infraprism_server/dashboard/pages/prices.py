"""Prices: models without one, prices of the account's own, what a model costs, pricing again."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from infraprism_server.dashboard.forms import Form, decoded, local_instant, number
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.dashboard.pages.suggestions import suggestions
from infraprism_server.dashboard.paging import PAGE_ROWS, offset_of, pages_of
from infraprism_server.errors import Conflict, InvalidRequest, NotFound
from infraprism_server.pricing.schemas import PriceLookupQuery, PriceOut, PriceOverrideIn, Prices

UNITS = {
    "input_usd_per_million": "Input tokens, a million",
    "output_usd_per_million": "Output tokens, a million",
    "cache_read_usd_per_million": "Tokens read from cache, a million",
    "cache_write_usd_per_million": "Tokens written to cache, a million",
    "cache_write_1h_usd_per_million": "Tokens written to cache for an hour, a million",
    "reasoning_usd_per_million": "Reasoning tokens, a million",
    "input_audio_usd_per_million": "Audio tokens in, a million",
    "output_audio_usd_per_million": "Audio tokens out, a million",
    "web_search_usd_per_thousand": "Web searches, a thousand",
    "request_usd_per_thousand": "Calls, a thousand",
}
FIRST_UNITS = tuple(UNITS)[:3]
MORE_UNITS = tuple(UNITS)[3:]
LABELS = {
    "provider": "Provider",
    "match": "For",
    "model": "Model",
    "discount_percent": "Discount, percent",
    "effective_from": "Holds from",
    "effective_to": "Holds until",
    "note": "Why",
    **UNITS,
}
MATCHES = [
    ("exact", "One model", ""),
    ("prefix", "All models whose name begins so", ""),
    ("provider", "Everything of the provider", "A discount only"),
]
TIERS = [("standard", "Standard"), ("batch", "Batch"), ("flex", "Flex"), ("priority", "Priority")]
LOOKUP_LABELS = {"provider": "Provider", "model": "Model", "service_tier": "Service tier"}


@page("/prices")
def prices(visit: Visit) -> Page:
    account, offset = visit.account.number, offset_of(visit.query("offset"))
    unpriced = visit.dashboard.pricing.list_unpriced(account, PAGE_ROWS)
    own = visit.dashboard.pricing.list_overrides(account, PAGE_ROWS, offset)
    return Page(
        template="prices.html",
        context={
            "unpriced": unpriced.data,
            "unpriced_total": unpriced.pagination.total,
            "own": own.data,
            "units": UNITS,
            "given": given_prices,
            "tiers": TIERS,
            "known": suggestions(visit),
            "pages": pages_of("/prices", {}, offset, len(own.data), own.pagination.total),
            **_looked_up(visit),
        },
    )


@page("/prices/new")
def new_price(visit: Visit) -> Page:
    """The empty form; an address may name the model it is for."""
    typed = {name: [visit.query(name)] for name in ("provider", "model")}
    return _new_page(visit, {**typed, "match": ["exact"]})


@action("/prices")
def create_price(visit: Visit) -> Page | Go:
    try:
        numbers = {
            name: number(text)
            for name in (*UNITS, "discount_percent")
            if (text := visit.field(name))
        }
        wanted = decoded(
            PriceOverrideIn,
            {
                "provider": visit.field("provider"),
                "match": visit.field("match"),
                "model": visit.field("model") or None,
                "effective_from": local_instant(visit.field("effective_from"), visit.zone),
                "effective_to": local_instant(visit.field("effective_to"), visit.zone),
                "note": visit.field("note") or None,
                **numbers,
            },
        )
        visit.dashboard.pricing.create_override_once(
            visit.account.number, wanted, visit.once("POST /prices")
        )
    except (InvalidRequest, Conflict) as error:
        return _new_page(visit, visit.form, error)
    return Go("/prices", "priced")


@action("/prices/{price_id:str}/delete")
def delete_price(visit: Visit) -> Go:
    visit.dashboard.pricing.delete_override(visit.account.number, visit.path("price_id"))
    return Go("/prices", "deleted")


def given_prices(found: Prices) -> list[tuple[str, Decimal]]:
    """The prices that are set, as words and dollars."""
    return [
        (words, price)
        for name, words in UNITS.items()
        if (price := getattr(found, name)) is not None
    ]


def _looked_up(visit: Visit) -> dict[str, Any]:
    """What a model costs now, where the address asks."""
    asked = {name: visit.query(name) for name in LOOKUP_LABELS if visit.query(name)}
    typed = {name: [text] for name, text in asked.items()}
    shown: dict[str, Any] = {"lookup": Form(LOOKUP_LABELS, typed), "found": None, "missing": None}
    if not asked:
        return shown
    try:
        query = decoded(PriceLookupQuery, asked)
        found: PriceOut = visit.dashboard.pricing.lookup(
            visit.account.number, query.provider, query.model, query.service_tier
        )
    except InvalidRequest as error:
        return {**shown, "lookup": Form(LOOKUP_LABELS, typed, error)}
    except NotFound as error:
        return {**shown, "missing": error.message}
    return {**shown, "found": found}


def _new_page(
    visit: Visit, typed: Mapping[str, list[str]], error: InvalidRequest | Conflict | None = None
) -> Page:
    return Page(
        template="price_new.html",
        status=400 if error else 200,
        context={
            "form": Form(LABELS, typed, error),
            "matches": MATCHES,
            "first_units": FIRST_UNITS,
            "more_units": MORE_UNITS,
            "opened": any(any(typed.get(name, [])) for name in MORE_UNITS),
            "known": suggestions(visit),
        },
    )


ROUTES = [prices, new_price, create_price, delete_price]
