"""JSON as it goes over the wire: exact money, one encoder, errors that name the field."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Any, TypeVar

import msgspec

from infraprism_server.clock import iso_utc
from infraprism_server.errors import InvalidRequest
from infraprism_server.money import PICO_PER_DOLLAR, decimal_from_pico

T = TypeVar("T")


class Dollars:
    """An amount in an answer: pico-dollars inside, exact decimal digits in JSON."""

    __slots__ = ("pico",)

    def __init__(self, pico: int) -> None:
        self.pico = pico

    def text(self) -> str:
        """Plain digits without exponent or trailing zeros: 0.005375."""
        return format(decimal_from_pico(self.pico), "f")


class Digits:
    """A decimal in an answer, in plain digits: msgspec alone would write 1.5E-7."""

    __slots__ = ("value",)

    def __init__(self, value: Decimal) -> None:
        self.value = value


class Instant:
    """A time in an answer: microseconds inside, ISO 8601 UTC with `Z` in JSON."""

    __slots__ = ("us",)

    def __init__(self, us: int) -> None:
        self.us = us


def instant(us: int | None) -> Instant | None:
    """The instant, where there is one."""
    return None if us is None else Instant(us)


def _encode_own_types(value: object) -> object:
    if isinstance(value, Dollars):
        return msgspec.Raw(value.text().encode())
    if isinstance(value, Digits):
        return msgspec.Raw(format(value.value, "f").encode())
    if isinstance(value, Instant):
        return iso_utc(value.us)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def schema_of_own_types(kind: type) -> dict[str, Any]:
    """JSON Schema of the types above, for the OpenAPI document."""
    if kind is Dollars:
        return {"type": "number", "description": "US dollars, exact to 12 decimals."}
    if kind is Digits:
        return {"type": "number"}
    if kind is Instant:
        return {"type": "string", "format": "date-time"}
    raise TypeError(f"{kind.__name__} has no JSON schema")


_encoder = msgspec.json.Encoder(enc_hook=_encode_own_types, decimal_format="number")
encode = _encoder.encode


_JSON_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,3})?")


def pico_of(raw: msgspec.Raw, param: str, max_pico: int) -> int | None:
    """Pico-dollars of a JSON number that was left undecoded; None when it is absent or null.

    Read as a decimal, so no digit passes through a float; rounded half-even to 1e-12 dollars.
    InvalidRequest naming `param` unless it is between zero and `max_pico`.
    """
    text = bytes(raw)
    if not text or text == b"null":
        return None
    if _JSON_NUMBER.fullmatch(text) is None:
        raise InvalidRequest(f"'{param}' is a number of dollars", param)
    with localcontext(prec=80, rounding=ROUND_HALF_EVEN, Emax=10_000, Emin=-10_000):
        amount = Decimal(text.decode())
        # Compared before it is scaled: 1e999 has no business becoming a thousand digits.
        if not 0 <= amount <= Decimal(max_pico).scaleb(-12):
            raise InvalidRequest(
                f"'{param}' is from 0 to {max_pico // PICO_PER_DOLLAR:,} dollars", param
            )
        return int(amount.scaleb(12).to_integral_value())


def decimal_of(raw: msgspec.Raw, param: str) -> Decimal:
    """A JSON number that was left undecoded, exactly. InvalidRequest when it is something else."""
    text = bytes(raw)
    if _JSON_NUMBER.fullmatch(text) is None:
        raise InvalidRequest(f"'{param}' is a number", param)
    return Decimal(text.decode())


_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_KEY_PATH = re.compile(r" - at `key`(?: in `\$\.?(?P<path>[^`]*)`)?$")
_FIELD = re.compile(r"(?:unknown|required) field `(?P<field>[^`]*)`")


def invalid_request_from(error: msgspec.ValidationError, prefix: str = "") -> InvalidRequest:
    """Our error for one of msgspec's: the path it found becomes `param`.

    `prefix` is put before the path where only a part of the body was decoded (`events[3]`).
    """
    text = str(error)
    path = prefix
    found = _PATH.search(text) or _KEY_PATH.search(text)
    if found is not None:
        text = text[: found.start()]
        path = _join(path, (found["path"] or "").replace("[...]", ""))
    named = _FIELD.search(text)
    if named is not None:
        path = _join(path, named["field"])
        text = (
            f"Unknown field '{named['field']}'"
            if "unknown field" in text
            else f"The '{named['field']}' field is required"
        )
        return InvalidRequest(text, path or None)
    return InvalidRequest(text.replace("`", "'"), path or None)


def _join(left: str, right: str) -> str:
    if not left or not right:
        return left or right
    return left + right if right.startswith("[") else f"{left}.{right}"


def decode_body(body: bytes, kind: type[T]) -> T:
    """A request body as a Struct. InvalidRequest with the field's path when it is not one."""
    if not body:
        raise InvalidRequest("A JSON body is required")
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise invalid_request_from(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed_json(error) from None


def malformed_json(error: Exception) -> InvalidRequest:
    """The error for a body that is not JSON at all."""
    if isinstance(error, RecursionError):
        return InvalidRequest("The body is nested too deeply")
    if isinstance(error, UnicodeDecodeError):
        return InvalidRequest("The body is not valid UTF-8")
    return InvalidRequest(f"The body is not valid JSON: {error}")
