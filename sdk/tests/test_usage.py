"""Usage of every shape becomes one: the published vectors, and whatever else a server answers."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Usage
from hypothesis import given
from hypothesis import strategies as st
from openai.types import CompletionUsage
from openai.types.responses import ResponseUsage

from infraprism.usage import MAX_TOKENS, TOKEN_FIELDS, as_mapping, normalise

VECTORS = json.loads((Path(__file__).parents[1] / "usage_vectors.json").read_text())["vectors"]

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_names = st.sampled_from(
    sorted(
        {key for vector in VECTORS for key in vector["usage"]} | {"cached_tokens", "audio_tokens"}
    )
)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_a_published_vector_gives_the_event_it_says(vector: dict[str, Any]) -> None:
    expected = dict(vector["event"])
    if "cost_usd" in expected:
        expected["cost_usd"] = Decimal(expected["cost_usd"])
    assert normalise(vector["usage"], vector.get("service_tier")) == expected


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_a_providers_own_object_gives_what_its_json_gives(vector: dict[str, Any]) -> None:
    usage = vector["usage"]
    kind = CompletionUsage if "prompt_tokens" in usage else ResponseUsage
    kind = Usage if "cache_read_input_tokens" in usage else kind
    parsed = as_mapping(kind.construct(**usage))
    assert parsed is not None
    assert normalise(parsed, vector.get("service_tier")) == normalise(
        usage, vector.get("service_tier")
    )


@given(st.dictionaries(_names, _json | st.dictionaries(_names, st.integers()), max_size=6))
def test_whatever_a_server_answers_the_result_is_one_the_api_takes(raw: dict[str, Any]) -> None:
    usage = normalise(raw)
    assert all(0 < usage[name] <= MAX_TOKENS * 4 for name in TOKEN_FIELDS if name in usage)
    total_in, total_out = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
    cached = sum(usage.get(name, 0) for name in TOKEN_FIELDS[2:5])
    assert cached <= total_in
    assert usage.get("reasoning_output_tokens", 0) <= total_out
    assert usage.get("input_audio_tokens", 0) <= total_in
