"""Pricing's values as they go over the wire: overrides, prices, explained costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from infraprism_server.event_store.contract import Event, UnpricedModel
from infraprism_server.http.wire import Digits, Dollars, Instant, instant
from infraprism_server.pricing.overrides import Override, field_name
from infraprism_server.pricing.rate_card import (
    CALL_UNITS,
    UNITS,
    CostLine,
    Rate,
    RateCard,
    usd_per,
)
from infraprism_server.pricing.repricing import EntityTally, Tally
from infraprism_server.pricing.schemas import (
    CostExplanationOut,
    CostLineOut,
    EntityDifference,
    PriceOut,
    PriceOverrideIn,
    PriceOverrideOut,
    PriceStep,
    RateOut,
    RepricingResultOut,
    UnpricedModelOut,
)

MAX_SHOWN_ENTITIES: Final = 1_000


def given_prices(wanted: PriceOverrideIn) -> dict[str, Decimal | None]:
    """The prices of a request by unit."""
    return {unit: getattr(wanted, field_name(unit)) for unit in UNITS}


def override_out(override: Override) -> PriceOverrideOut:
    """An override as the API shows it."""
    prices = override.prices or {}
    return PriceOverrideOut(
        id=override.id,
        provider=override.provider,
        match=override.match,
        model=override.model,
        discount_percent=_decimal(override.discount_percent),
        effective_from=instant(override.effective_from_us),
        effective_to=instant(override.effective_to_us),
        note=override.note,
        created_at=Instant(override.created_at_us),
        **_by_field({unit: Decimal(price) for unit, price in prices.items()}),
    )


def price_out(card: RateCard) -> PriceOut:
    """A card as the API shows it: base prices, then one step per threshold of any unit."""
    rates = card.rates()
    thresholds = sorted({step.above_input_tokens for rate in rates.values() for step in rate.steps})
    return PriceOut(
        provider=card.provider,
        model=card.model,
        service_tier=card.service_tier,
        steps=[
            PriceStep(above_input_tokens=above, **_listed(_rates_above(rates, above)))
            for above in thresholds
        ],
        discount_percent=_decimal(card.discount_percent),
        source=card.source,
        price_version=card.price_version,
        **_listed(rates),
    )


def unpriced_out(model: UnpricedModel) -> UnpricedModelOut:
    """An unpriced model as the API shows it."""
    return UnpricedModelOut(
        provider=model.provider,
        model=model.model,
        events=model.events,
        input_tokens=model.input_tokens,
        output_tokens=model.output_tokens,
        first_seen=Instant(model.first_seen_us),
        last_seen=Instant(model.last_seen_us),
    )


def explanation_out(
    event: Event, card: RateCard | None, lines: Sequence[CostLine], reason: str | None
) -> CostExplanationOut:
    """How a cost came about. A reported one is one line, with the computed ones beside it."""
    computed = [_line_out(line, card) for line in lines]
    reported = event.cost_source == "reported"
    computed_pico = event.computed_cost_pico if reported else None
    if event.cost_source == "computed":
        computed_pico = event.cost_pico
    return CostExplanationOut(
        event_id=event.id,
        cost_usd=Dollars(event.cost_pico),
        cost_source=event.cost_source,
        lines=[_reported_line(event)] if reported else computed,
        computed_cost_usd=None if computed_pico is None else Dollars(computed_pico),
        computed_lines=computed,
        rate=None if card is None or event.rate_id is None else _rate_out(event.rate_id, card),
        unpriced_reason=reason,
    )


def repricing_result_out(tally: Tally) -> RepricingResultOut:
    """The tally as the API shows it: the largest differences first."""
    ordered = sorted(
        tally.entities,
        key=lambda one: (
            -abs(one.after_pico - one.before_pico),
            one.entity_type or "",
            one.entity_id or "",
        ),
    )
    others = EntityTally()
    for one in [tally.others, *ordered[MAX_SHOWN_ENTITIES:]]:
        others.events += one.events
        others.before_pico += one.before_pico
        others.after_pico += one.after_pico
    return RepricingResultOut(
        events=tally.events,
        changed_events=tally.changed,
        newly_priced_events=tally.newly_priced,
        still_unpriced_events=tally.still_unpriced,
        cost_before_usd=Dollars(tally.before_pico),
        cost_after_usd=Dollars(tally.after_pico),
        difference_usd=Dollars(tally.after_pico - tally.before_pico),
        entities=[_difference(one) for one in ordered[:MAX_SHOWN_ENTITIES]],
        other_entities=_difference(others),
    )


def _line_out(line: CostLine, card: RateCard | None) -> CostLineOut:
    return CostLineOut(
        unit=line.unit,
        quantity=line.quantity,
        unit_price_usd=Digits(line.unit_price_usd),
        cost_usd=Dollars(line.cost_pico),
        service_tier=card.service_tier if card is not None else None,
        above_input_tokens=line.above_input_tokens,
        discount_percent=_decimal(card.discount_percent) if card is not None else None,
        description=None,
    )


def _reported_line(event: Event) -> CostLineOut:
    return CostLineOut(
        unit="call",
        quantity=1,
        unit_price_usd=None,
        cost_usd=Dollars(event.cost_pico),
        service_tier=None,
        above_input_tokens=None,
        discount_percent=None,
        description="reported by the provider",
    )


def _rate_out(number: int, card: RateCard) -> RateOut:
    return RateOut(
        id=number,
        provider=card.provider,
        model=card.model,
        service_tier=card.service_tier,
        source=card.source,
        price_version=card.price_version,
        discount_percent=_decimal(card.discount_percent),
    )


def _rates_above(rates: Mapping[str, Rate], above: int) -> dict[str, Rate]:
    found = {}
    for unit, rate in rates.items():
        reached = [step for step in rate.steps if step.above_input_tokens <= above]
        found[unit] = Rate(reached[-1].pico, reached[-1].scale) if reached else rate
    return found


def _listed(rates: Mapping[str, Rate]) -> dict[str, Decimal]:
    return _by_field(
        {
            unit: usd_per(rate, 1_000 if unit in CALL_UNITS else 1_000_000)
            for unit, rate in rates.items()
        }
    )


def _by_field(prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {field_name(unit): price for unit, price in prices.items()}


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _difference(one: EntityTally) -> EntityDifference:
    return EntityDifference(
        entity_type=one.entity_type,
        entity_id=one.entity_id,
        events=one.events,
        cost_before_usd=Dollars(one.before_pico),
        cost_after_usd=Dollars(one.after_pico),
        difference_usd=Dollars(one.after_pico - one.before_pico),
    )
