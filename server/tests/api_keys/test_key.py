"""The text of a key: random enough, and any typo is noticed without a look-up (R13)."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.api_keys.key import (
    CHECKSUM_CHARS,
    PREFIX_SHOWN_CHARS,
    RANDOM_CHARS,
    hash_of,
    is_well_formed,
    new_key,
    shown_prefix,
)
from infraprism_server.api_keys.scopes import checked_scopes
from infraprism_server.errors import InvalidRequest

KEY = new_key()
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_r13_what_a_list_does_not_show_carries_178_bits() -> None:
    secret_chars = RANDOM_CHARS - (PREFIX_SHOWN_CHARS - len("ip-"))
    assert secret_chars * math.log2(62) >= 178


def test_a_key_has_the_form_of_the_contract() -> None:
    assert re.fullmatch(rf"ip-[0-9A-Za-z]{{{RANDOM_CHARS + CHECKSUM_CHARS}}}", KEY)
    assert is_well_formed(KEY)
    assert shown_prefix(KEY) == KEY[:6]


def test_keys_differ_and_use_the_whole_alphabet() -> None:
    keys = {new_key() for _ in range(500)}
    assert len(keys) == 500
    assert set("".join(key[3:36] for key in keys)) == set(BASE62)
    assert len({hash_of(key) for key in keys}) == 500
    assert all(len(hash_of(key)) == 32 for key in keys)


@given(st.integers(0, len(KEY) - 1), st.characters())
def test_r13_any_changed_character_is_refused(position: int, character: str) -> None:
    changed = KEY[:position] + character + KEY[position + 1 :]
    assert is_well_formed(changed) == (changed == KEY)


@given(st.integers(0, len(KEY) - 1), st.sampled_from(BASE62))
def test_any_flipped_character_of_the_alphabet_is_refused(position: int, character: str) -> None:
    changed = KEY[:position] + character + KEY[position + 1 :]
    assert is_well_formed(changed) == (changed == KEY)


@given(st.integers(3, len(KEY) - 2))
def test_two_characters_changed_about_are_refused(position: int) -> None:
    left, right = KEY[position], KEY[position + 1]
    changed = KEY[:position] + right + left + KEY[position + 2 :]
    assert is_well_formed(changed) == (changed == KEY)


@given(st.integers(0, len(KEY) - 1))
def test_a_key_that_lost_or_gained_a_character_is_refused(position: int) -> None:
    assert not is_well_formed(KEY[:position] + KEY[position + 1 :])
    assert not is_well_formed(KEY[:position] + "a" + KEY[position:])


@given(st.text(max_size=100))
def test_no_text_breaks_the_check(text: str) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed(f"ip-{text}")


def test_scopes_are_kept_once_and_full_covers_the_rest() -> None:
    assert checked_scopes(["ingest", "read", "ingest"]) == ("read", "ingest")
    assert checked_scopes(["read", "full"]) == ("full",)


@pytest.mark.parametrize("scopes", [[], ["admin"], ["full", ""]])
def test_scopes_there_are_not(scopes: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="use full, read, ingest") as caught:
        checked_scopes(scopes)
    assert caught.value.param == "scopes"
