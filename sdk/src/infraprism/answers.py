"""What an answer says of itself: its model, tier and usage, from objects and from JSON."""

from __future__ import annotations

from infraprism.calls import Call
from infraprism.usage import as_mapping


def learn_from_object(call: Call, answer: object) -> None:
    """From a parsed answer: only `model`, `service_tier` and `usage` are looked at."""
    # Looked up in what the model holds: asking a model for what it has not takes microseconds.
    held = getattr(answer, "__dict__", None) or {}
    extra = (getattr(answer, "__pydantic_extra__", None) if held else None) or {}
    usage = as_mapping(held.get("usage") or extra.get("usage"))
    tools = held.get("tool_usage") or extra.get("tool_usage")
    if tools is not None and usage is not None:
        usage = {**usage, "tool_usage": as_mapping(tools)}
    tier = held.get("service_tier") or extra.get("service_tier")
    call.learn(held.get("model") or extra.get("model"), tier, usage)
    if call.background:
        call.learn_of_background(as_mapping(answer) or {})


def learn_from_json(call: Call, data: object) -> None:
    """From one JSON object of the wire: an answer, a chunk, or an event that carries an answer."""
    if not isinstance(data, dict):
        return
    for part in (data, data.get("response"), data.get("message")):
        if isinstance(part, dict):
            usage = part.get("usage")
            usage = usage if isinstance(usage, dict) else None
            if usage is not None and isinstance(part.get("tool_usage"), dict):
                usage = {**usage, "tool_usage": part["tool_usage"]}
            call.learn(part.get("model"), part.get("service_tier"), usage)
            call.learn_of_background(part)
