"""The text of an API key: how it is made, recognised without a look-up, and stored.

`ip-`, 33 random base62 characters (196 bits), six of checksum. The first three random characters
are shown in lists; the 30 that stay secret carry 178.6 bits.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib

PREFIX = "ip-"
PREFIX_SHOWN_CHARS = 6
RANDOM_CHARS = 33
CHECKSUM_CHARS = 6
"""62**6 > 2**32: a CRC32 always fits."""
KEY_CHARS = len(PREFIX) + RANDOM_CHARS + CHECKSUM_CHARS

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SHAPE = re.compile(rf"ip-[0-9A-Za-z]{{{RANDOM_CHARS + CHECKSUM_CHARS}}}")


def new_key() -> str:
    """A new key's text, from the machine's secure source of randomness."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(RANDOM_CHARS))
    return body + checksum(body)


def is_well_formed(text: str) -> bool:
    """Whether the text can be a key: shape and checksum. Costs a microsecond and no look-up.

    CRC32 finds every single wrong character and every run of up to four; against guessing it is
    no defence, the random part is.
    """
    return (
        _SHAPE.fullmatch(text) is not None
        and checksum(text[:-CHECKSUM_CHARS]) == text[-CHECKSUM_CHARS:]
    )


def checksum(body: str) -> str:
    """CRC32 of the text before it, in base62."""
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(CHECKSUM_CHARS):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def hash_of(text: str) -> bytes:
    """What is stored: SHA-256. Nothing slower is needed, 178 bits can not be tried out."""
    return hashlib.sha256(text.encode()).digest()


def same_hash(left: bytes, right: bytes) -> bool:
    """Equality in a time that does not tell how much was equal."""
    return hmac.compare_digest(left, right)


def shown_prefix(text: str) -> str:
    """The part of a key that lists show: `ip-abc`."""
    return text[:PREFIX_SHOWN_CHARS]
