"""Sealed secrets open again for whom they were sealed, and for nobody else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.errors import StartupError
from infraprism_server.secret_box import SecretBox, SecretUnreadable, open_secret_box

OLD, NEW = "o" * 32, "n" * 32


@given(st.text(st.characters(codec="utf-8"), max_size=200), st.text(max_size=50))
def test_what_is_sealed_opens_again(plain: str, context: str) -> None:
    context = context.encode("utf-8", "ignore").decode()
    box = SecretBox([NEW])
    assert box.open(box.seal(plain, context), context) == plain


def test_the_same_text_is_never_sealed_the_same_way() -> None:
    box = SecretBox([NEW])
    sealed = box.seal("whsec_abc", "webhook/1")
    assert b"whsec" not in sealed
    assert sealed != box.seal("whsec_abc", "webhook/1")


def test_a_secret_does_not_open_for_another_row() -> None:
    box = SecretBox([NEW])
    with pytest.raises(SecretUnreadable, match="changed or moved"):
        box.open(box.seal("x", "webhook/1"), "webhook/2")


def test_any_changed_bit_is_noticed() -> None:
    box = SecretBox([NEW])
    sealed = box.seal("x", "c")
    for position in range(len(sealed)):
        broken = bytearray(sealed)
        broken[position] ^= 1
        with pytest.raises(SecretUnreadable):
            box.open(bytes(broken), "c")


@pytest.mark.parametrize("length", [0, 1, 5, 10, 17])
def test_a_cut_secret_is_unreadable(length: int) -> None:
    box = SecretBox([NEW])
    with pytest.raises(SecretUnreadable):
        box.open(box.seal("x", "c")[:length], "c")


def test_a_key_can_be_replaced_while_old_secrets_stay_readable() -> None:
    old_box, both, new_box = SecretBox([OLD]), SecretBox([NEW, OLD]), SecretBox([NEW])
    sealed = old_box.seal("x", "c")
    assert both.open(sealed, "c") == "x"
    assert both.is_outdated(sealed)
    anew = both.seal("x", "c")
    assert not both.is_outdated(anew)
    assert new_box.open(anew, "c") == "x"
    with pytest.raises(SecretUnreadable, match="put back the former INFRAPRISM_SECRET_KEY"):
        new_box.open(sealed, "c")


def test_the_folders_key_is_made_once_and_private(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        boxes = list(pool.map(lambda _: open_secret_box(tmp_path, None), range(8)))
    sealed = boxes[0].seal("x", "c")
    assert [box.open(sealed, "c") for box in boxes] == ["x"] * 8
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600


def test_the_setting_wins_and_writes_no_file(tmp_path: Path) -> None:
    sealed = open_secret_box(tmp_path, f"{NEW} {OLD}").seal("x", "c")
    assert SecretBox([NEW]).open(sealed, "c") == "x"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "short", f"{NEW} short"])
def test_a_weak_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(StartupError, match="at least 32 characters") as caught:
        open_secret_box(tmp_path, text)
    assert "short" not in caught.value.message


def test_a_spoiled_key_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"\xff\xfe")
    with pytest.raises(StartupError, match="is not text"):
        open_secret_box(tmp_path, None)
