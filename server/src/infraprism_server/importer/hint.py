"""What to type when a mapping does not fit: guesses from the names that a file's columns have."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from infraprism_server.importer.values import EVENT_FIELDS

_SHOWN_COLUMNS = 60

_SYNONYMS: Final[dict[str, tuple[str, ...]]] = {
    "timestamp": (
        "time",
        "ts",
        "datetime",
        "date",
        "createdat",
        "created",
        "starttime",
        "startedat",
        "requesttime",
        "eventtime",
    ),
    "provider": ("vendor", "customllmprovider", "genaiprovidername", "genaisystem", "llmprovider"),
    "model": (
        "modelname",
        "modelid",
        "genairesponsemodel",
        "genairequestmodel",
        "llmmodelname",
        "deployment",
        "engine",
    ),
    "input_tokens": (
        "prompttokens",
        "contexttokens",
        "tokensin",
        "inputtokencount",
        "usageprompttokens",
        "usageinputtokens",
        "genaiusageinputtokens",
        "promptlength",
    ),
    "output_tokens": (
        "completiontokens",
        "generatedtokens",
        "tokensout",
        "outputtokencount",
        "usagecompletiontokens",
        "usageoutputtokens",
        "genaiusageoutputtokens",
    ),
    "latency_ms": ("latency", "durationms", "duration", "elapsedms", "responsetimems"),
    "entity_id": (
        "customer",
        "customerid",
        "userid",
        "user",
        "enduser",
        "team",
        "teamid",
        "project",
    ),
    "session_id": ("session", "conversationid", "threadid", "traceid"),
    "cost_usd": ("cost", "spend", "totalcost", "price", "amountusd"),
    "id": ("requestid", "callid", "eventid", "responseid"),
    "cache_read_input_tokens": ("cachedtokens", "cachereadtokens", "cachedinputtokens"),
}


def unknown_columns(unknown: Mapping[str, str], columns: Sequence[str]) -> str:
    """The message for mapped columns that the file does not have."""
    lines = []
    for field, column in unknown.items():
        close = difflib.get_close_matches(column, columns, n=1, cutoff=0.6)
        folded = [name for name in columns if name.lower() == column.lower()]
        meant = (folded or close or [None])[0]  # type: ignore[list-item]
        lines.append(
            f"There is no column {column!r} for {field}."
            + (f" Did you mean --map {shlex.quote(f'{field}={meant}')}?" if meant else "")
        )
    return "\n".join([*lines, _listed(columns)])


def missing_fields(missing: Sequence[str], columns: Sequence[str], given: Collection[str]) -> str:
    """The message for required fields that nothing gives."""
    options = guesses(columns, given)
    for field in ("provider", "model"):
        if field in missing and not any(option.startswith(f"{field}=") for option in options):
            break
    else:
        field = ""
    typed = [f"--map {shlex.quote(option)}" for option in options]
    if field:
        typed.append("--assume-model openai/gpt-4o")
    if "timestamp" in missing and not any(option.startswith("timestamp=") for option in options):
        typed.insert(0, "--map timestamp=COLUMN")
    return (
        f"Nothing says what {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'}.\n"
        f"{_listed(columns)}\n"
        f"Try: {' '.join(typed)}"
        + ("\n(with the model the calls went to, where the file names none)" if field else "")
    )


def unknown_field(name: str) -> str:
    """The message for something that is no event field."""
    close = difflib.get_close_matches(name, [*EVENT_FIELDS, "tags.KEY"], n=1, cutoff=0.5)
    meant = f" Did you mean {close[0]}?" if close else ""
    return (
        f"An event has no field {name!r}.{meant} "
        f"Fields: {', '.join(EVENT_FIELDS)}; tags one by one as tags.KEY"
    )


def guesses(columns: Sequence[str], given: Collection[str]) -> list[str]:
    """`field=column` for columns whose names say what they are, fields not given yet."""
    plain = {"".join(filter(str.isalnum, name.lower())): name for name in reversed(columns)}
    found = []
    for field in EVENT_FIELDS:
        if field in given or field == "tags":
            continue
        names = (field.replace("_", ""), *_SYNONYMS.get(field, ()))
        column = next((plain[name] for name in names if name in plain), None)
        if column is not None and column != field:
            found.append(f"{field}={column}")
    return found


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:_SHOWN_COLUMNS])
    more = len(columns) - _SHOWN_COLUMNS
    return f"The file's columns: {shown}" + (f" and {more} more" if more > 0 else "")
