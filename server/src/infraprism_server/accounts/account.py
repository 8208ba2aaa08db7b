"""An account, and what its fields may hold."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

import msgspec

from infraprism_server.accounts.plan import requests_per_minute
from infraprism_server.errors import InvalidRequest
from infraprism_server.http.fields import check_printable

MAX_NAME_CHARS = 200
NAME_PATTERN = (
    r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*"
    r"[^\u0000-\u0020\u007f-\u009f\u2028\u2029]"
    r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
)
"""What `checked_name` takes, as JSON schema: one line that is not only spaces."""
MAX_EMAIL_CHARS = 254
MAX_RETENTION_DAYS = 36_500

# Not RFC 5322, which allows what nobody has: one @, no blanks, a host name behind it. A name
# without a dot is fine, for admin@localhost.
_EMAIL = re.compile(r"[^\s@\x00-\x20\x7f]{1,64}@[^\W_]([\w.-]*[^\W_])?")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account as it is stored. `number` is how the stores know it, `id` how the world does."""

    number: int
    id: str
    email: str
    name: str
    company: str
    plan: str
    own_rate_limit_per_minute: int | None
    """Requests a minute of an enterprise account; None for the others."""
    timezone: str
    retention_days: int | None
    """None keeps events for ever."""
    created_at_us: int

    @property
    def rate_limit_per_minute(self) -> int:
        """Requests a minute, all routes together."""
        return requests_per_minute(self.plan, self.own_rate_limit_per_minute)


def checked_email(text: str) -> str:
    """The address without blanks around it. InvalidRequest when it is none."""
    text = text.strip()
    if len(text) > MAX_EMAIL_CHARS or _EMAIL.fullmatch(text) is None or ".." in text:
        raise InvalidRequest("'email' is not an e-mail address such as ops@example.com", "email")
    check_printable(text, "email")
    return text


def checked_name(text: str, param: str, *, may_be_empty: bool = False) -> str:
    """A name without spaces around it, 1 (or 0) to 200 characters on one line."""
    check_printable(text, param)
    text = text.strip(" ")
    if len(text) > MAX_NAME_CHARS or not (text or may_be_empty):
        least = 0 if may_be_empty else 1
        raise InvalidRequest(f"'{param}' has {least} to {MAX_NAME_CHARS} characters", param)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(f"'{param}' is not valid Unicode text", param) from None
    return text


def checked_timezone(name: str) -> str:
    """An IANA time zone's name. InvalidRequest, with the nearest names, when there is none such.

    Judged by the tzdata package, not by the machine's files: they differ, and hold more than zones.
    """
    zones = _zones()
    if name in zones:
        return name
    by_lower = {zone.lower(): zone for zone in zones}
    close = get_close_matches(name[:64].lower(), by_lower, n=3, cutoff=0.7)
    hint = " or ".join(by_lower[match] for match in close) or "an IANA name such as Europe/Berlin"
    raise InvalidRequest(f"Unknown time zone '{name[:64]}'; use {hint}", "timezone")


def checked_retention(days: int | None) -> int | None:
    """Days that events are kept, 1 to 36500; None keeps them for ever."""
    if days is not None and not 1 <= days <= MAX_RETENTION_DAYS:
        raise InvalidRequest(
            f"'retention_days' is 1 to {MAX_RETENTION_DAYS}, or null to keep everything",
            "retention_days",
        )
    return days


@cache
def zone_names() -> tuple[str, ...]:
    """Every name that `checked_timezone` takes, to choose from."""
    return tuple(sorted(_zones()))


@cache
def _zones() -> frozenset[str]:
    text = files("tzdata").joinpath("zones").read_text(encoding="ascii")
    return frozenset(text.split()) - {"Factory"}
