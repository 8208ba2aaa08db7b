"""A csv line as one expression: a third of the CPU of letting COPY look at 26 columns a row.

What repeats is quoted and neutralised once for each row of a dictionary, not once an event; what is
nearly always zero or absent is looked at together; and a comma belongs to the constant text beside
it, since every piece of a line costs. COPY would look at every byte once more, for what to quote
(see lines.py).
"""

from __future__ import annotations

from typing import Final

from infraprism_server.event_store.export_columns import EXPORT_COLUMNS

HEADER: Final = ",".join(EXPORT_COLUMNS) + "\n"
_RARE_COUNTS: Final = (
    "cache_write_input_tokens",
    "cache_write_1h_input_tokens",
    "reasoning_output_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_search_requests",
)


def _cell(text: str) -> str:
    """The expression's text as a cell; null is empty. RFC 4180, and no formula.

    OWASP's list of what starts a formula: = + - @ TAB CR, all of them before A.
    """
    marks = " OR ".join(
        f"contains({text}, {mark})" for mark in ("','", "'\"'", "chr(10)", "chr(13)")
    )
    safe = f"CASE WHEN regexp_matches({text}, '^[=+@\\t\\r-]') THEN '''' || {text} ELSE {text} END"
    quoted = f"""'"' || replace({safe}, '"', '""') || '"'"""
    return (
        f"CASE WHEN {text} IS NULL THEN ''"
        f" WHEN {text} >= 'A' AND NOT ({marks}) THEN {text}"  # what nearly all are, seen cheaply
        f""" WHEN NOT regexp_matches({text}, '^[=+@\\t\\r-]|[",\\r\\n]') THEN {text}"""
        f""" WHEN regexp_matches({text}, '[",\\r\\n]') THEN {quoted} ELSE {safe} END"""
    )


def _cells(*texts: str) -> str:
    """Cells with the commas before, between and behind them."""
    return "',' || " + " || ',' || ".join(map(_cell, texts)) + " || ','"


_ID: Final = (
    "CASE WHEN e.id_text IS NULL THEN 'evt_' || replace(e.id::VARCHAR, '-', '')"
    f" ELSE {_cell('e.id_text')} END"
)
_TIER: Final = _cell("coalesce(e.service_tier, 'standard')")
_RARE: Final = " | ".join(
    f"e.{column}" for column in _RARE_COUNTS if column != "reasoning_output_tokens"
)
_COUNTS_AND_TIER: Final = (
    f"CASE WHEN ({_RARE}) <> 0 OR e.service_tier IS NOT NULL THEN concat("
    + "".join(f"',', e.{column}, " for column in _RARE_COUNTS)
    + f"',', {_TIER}, ',')"
    " WHEN e.reasoning_output_tokens = 0 THEN ',0,0,0,0,0,0,standard,'"
    " ELSE concat(',0,0,', e.reasoning_output_tokens, ',0,0,0,standard,') END"
)
_SOURCE: Final = (
    "CASE e.cost_source WHEN 0 THEN ',computed,' WHEN 1 THEN ',reported,' ELSE ',unpriced,' END"
)
_ERROR_AND_SOURCE: Final = (
    "CASE WHEN e.error_type IS NULL AND e.error_code IS NULL AND e.cost_source = 0"
    f" THEN ',,,computed,' ELSE concat(',', {_cell('e.error_type')},"
    f" ',', {_cell('e.error_code')}, {_SOURCE}) END"
)


def statement(events: str, *, moment: str, dollars: str) -> str:
    """The lines, each with its end, of the events that the text `events` selects.

    Its parameters: those of `events`, and then twice the account. `moment` is a timestamp's
    expression, `dollars` that of the text of an amount in pico-dollars, with places for the amount.
    """
    pieces: tuple[tuple[tuple[str, ...], str], ...] = (
        (("id",), _ID),
        (("timestamp",), f"',', {moment}"),
        (("model", "provider"), "m.cells"),
        (("input_tokens",), "e.input_tokens"),
        (("output_tokens",), "',', e.output_tokens"),
        (("cost_usd",), "',', e.cost_text"),
        (("latency_ms",), "',', e.latency_ms"),
        (("entity_type", "entity_id"), "coalesce(n.cells, ',,,')"),
        (("tags",), "coalesce(t.cell, '{}')"),
        (("success",), "CASE WHEN e.success THEN ',true,' ELSE ',false,' END"),
        (("total_tokens",), "e.input_tokens::BIGINT + e.output_tokens"),
        (("cache_read_input_tokens",), "',', e.cache_read_input_tokens"),
        ((*_RARE_COUNTS, "service_tier"), _COUNTS_AND_TIER),
        (("session_id",), "e.session_cell"),
        (("error_type", "error_code", "cost_source"), _ERROR_AND_SOURCE),
        (
            ("computed_cost_usd",),
            "CASE WHEN e.cost_source = 0 THEN e.cost_text"
            f" ELSE {dollars.format('e.computed_cost_pico')} END, chr(10)",
        ),
    )
    if tuple(name for names, _ in pieces for name in names) != EXPORT_COLUMNS:
        raise ValueError("the pieces of a line are not the columns of an export, in their order")
    line = ", ".join(expression for _, expression in pieces)
    return f"""SELECT concat({line})
        FROM (SELECT *, {dollars.format("e.cost_pico")} AS cost_text,
            {_cell("e.session_id")} AS session_cell FROM ({events}) e) e
        JOIN (SELECT code, {_cells("model", "provider")} AS cells FROM models) m
            ON m.code = e.model_code
        LEFT JOIN (SELECT code, {_cells("entity_type", "entity_id")} AS cells
            FROM entities WHERE account = ?) n ON n.code = e.entity_code
        LEFT JOIN (SELECT code, {_cell("tags")} AS cell FROM tag_sets WHERE account = ?) t
            ON t.code = e.tag_code"""  # noqa: S608
