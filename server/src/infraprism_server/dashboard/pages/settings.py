"""Settings: the account, its time zone and retention, and how alerts are looked for."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from infraprism_server.accounts.account import zone_names
from infraprism_server.accounts.schemas import PatchMe
from infraprism_server.anomalies.schemas import PatchSettings
from infraprism_server.clock import from_us
from infraprism_server.dashboard.forms import NULL, Form, decoded, number, number_or_null
from infraprism_server.dashboard.frame import Go, Page, Visit, action, page
from infraprism_server.errors import InvalidRequest

LABELS = {
    "name": "Name",
    "company": "Company",
    "timezone": "Time zone",
    "retention_days": "Keep calls for, days",
    "sure": "Are you sure?",
}
ALERT_LABELS = {
    "sensitivity": "How much is out of the ordinary",
    "minimum_impact_usd": "Tell from, dollars too much",
    "watched_types": "Only these types",
    "snoozed_until": "Quiet until",
}
SENSITIVITIES = [
    ("low", "Only what is glaring", "Fewer alerts"),
    ("default", "What is clear", "As it is meant"),
    ("high", "Also what is slight", "More alerts"),
]


@page("/settings")
def settings(visit: Visit) -> Page:
    return _settings_page(visit)


@action("/settings")
def change_account(visit: Visit) -> Page | Go:
    days = visit.field("retention_days")
    try:
        patch = decoded(
            PatchMe,
            {
                "name": visit.field("name"),
                "company": visit.field("company"),
                "timezone": visit.field("timezone"),
                "retention_days": number_or_null(days),
            },
        )
        _check_sure(visit, patch.retention_days)
        visit.dashboard.accounts.patch(visit.account.number, patch)
    except InvalidRequest as error:
        return _settings_page(visit, account=Form(LABELS, visit.form, error))
    return Go("/settings", "saved")


@action("/settings/anomalies")
def change_alerts(visit: Visit) -> Page | Go:
    types = [each for each in re.split(r"[\s,;]+", visit.field("watched_types")) if each]
    try:
        patch = decoded(
            PatchSettings,
            {
                "sensitivity": visit.field("sensitivity"),
                "minimum_impact_usd": number(visit.field("minimum_impact_usd")),
                "watched_types": types or NULL,
                "snoozed_until": visit.field("snoozed_until") or NULL,
            },
        )
        visit.dashboard.anomalies.change_settings(visit.account.number, patch)
    except InvalidRequest as error:
        return _settings_page(visit, alerts=Form(ALERT_LABELS, visit.form, error))
    return Go("/settings", "saved")


def _settings_page(visit: Visit, account: Form | None = None, alerts: Form | None = None) -> Page:
    return Page(
        template="settings.html",
        status=400 if account or alerts else 200,
        context={
            "form": account or Form(LABELS, _stored_account(visit)),
            "asks": account is not None and account.error("sure") is not None,
            "alerts": alerts or Form(ALERT_LABELS, _stored_alerts(visit)),
            "sensitivities": SENSITIVITIES,
            "zones": zone_names(),
        },
    )


def _stored_account(visit: Visit) -> Mapping[str, list[str]]:
    account = visit.account
    days = "" if account.retention_days is None else str(account.retention_days)
    return {
        "name": [account.name],
        "company": [account.company],
        "timezone": [account.timezone],
        "retention_days": [days],
    }


def _stored_alerts(visit: Visit) -> Mapping[str, list[str]]:
    found = visit.dashboard.anomalies.settings(visit.account.number)
    until = found.snoozed_until
    quiet = until is not None and until.us > visit.now_us
    return {
        "sensitivity": [found.sensitivity],
        "minimum_impact_usd": [found.minimum_impact_usd.text()],
        "watched_types": [", ".join(found.watched_types or [])],
        "snoozed_until": [
            f"{from_us(until.us).astimezone(visit.zone):%Y-%m-%dT%H:%M}" if until and quiet else ""
        ],
    }


def _check_sure(visit: Visit, days: int | msgspec.UnsetType | None) -> None:
    """Fewer days delete calls: InvalidRequest until that is agreed to."""
    kept = visit.account.retention_days
    fewer = isinstance(days, int) and (kept is None or days < kept)
    if fewer and visit.field("sure") != str(days):
        raise InvalidRequest("Calls older than that will be deleted, for good.", "sure")


ROUTES = [settings, change_account, change_alerts]
