"""The stubs are what the generator makes of the installed providers.

That a type checker uses them is for `make check`, which reads typed_calls.py.
"""

from __future__ import annotations

from sdk.generate_stubs import generated


def test_the_stubs_are_what_the_generator_writes() -> None:
    for path, text in generated().items():
        assert path.exists(), f"write it: python -m sdk.generate_stubs ({path.name})"
        assert path.read_text() == text, f"renew it: python -m sdk.generate_stubs ({path.name})"
