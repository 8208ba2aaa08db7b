"""Signed links: one spelling, one file, until one second."""

from __future__ import annotations

from itertools import islice

from contract_tests.notifications.changed_links import changed
from infraprism_server.exports.link import is_valid, signed_path
from infraprism_server.secret_box import SecretBox

NOW = 1_772_366_400
EXPORT = "exp_0195512f3c4d7abc8def0123456789ab"


def accepted(keys, link: str, export_id: str | None = None, now: int = NOW) -> bool:
    """As the download route asks."""
    path, _, query = link.partition("?")
    found = path.rsplit("/", 1)[-1] if export_id is None else export_id
    return is_valid(keys, path, query.encode(), found, now)


def test_r33_a_link_is_good_until_it_expires() -> None:
    keys = SecretBox(["k" * 32]).signing_keys("export link")
    link = signed_path(keys, EXPORT, NOW + 10)
    assert accepted(keys, link)
    assert accepted(keys, link, now=NOW + 9)
    assert not accepted(keys, link, now=NOW + 10)
    assert not accepted(keys, link, now=NOW + 10_000_000)


def test_r33_of_ten_thousand_mutated_links_none_is_good() -> None:
    keys = SecretBox(["k" * 32]).signing_keys("export link")
    link = signed_path(keys, EXPORT, NOW + 86_400)
    mutated = list(islice(changed(link, 3), 10_000))
    assert [each for each in mutated if accepted(keys, each)] == []


def test_r33_a_link_is_for_its_export_alone_and_no_time_can_be_added() -> None:
    keys = SecretBox(["k" * 32]).signing_keys("export link")
    link = signed_path(keys, EXPORT, NOW + 5)
    assert not accepted(keys, link.replace(EXPORT, EXPORT[:-1] + "c"))
    assert not accepted(keys, link.replace(str(NOW + 5), str(NOW + 6)))
    assert not accepted(keys, f"/downloads/{EXPORT}")


def test_a_link_outlives_a_change_of_the_secret_and_not_its_loss() -> None:
    old, new = "o" * 32, "n" * 32
    link = signed_path(SecretBox([old]).signing_keys("export link"), EXPORT, NOW + 5)
    assert accepted(SecretBox([new, old]).signing_keys("export link"), link)
    assert not accepted(SecretBox([new]).signing_keys("export link"), link)
    assert not accepted(SecretBox([old]).signing_keys("another purpose"), link)
