"""Secrets that must be readable again, such as those webhooks are signed with: sealed at rest.

AES-256-GCM under keys derived from INFRAPRISM_SECRET_KEY or from DATA_DIR/secret.key. Several
secrets may be given, newest first: the first seals, all of them open, so a key can be replaced
while what is stored is sealed anew.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from infraprism_server.data_folder import folder_error
from infraprism_server.errors import InfraPrismError, StartupError
from infraprism_server.settings import MIN_SECRET_CHARS

FILE_NAME = "secret.key"
_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_HEAD_BYTES = len(_VERSION) + _KEY_ID_BYTES


class SecretUnreadable(InfraPrismError):
    """A sealed secret that none of the keys opens, or that was changed or moved."""


class SecretBox:
    """Seals and opens short texts. Safe for many threads."""

    def __init__(self, passphrases: Sequence[str]) -> None:
        """Newest first. ValueError when there is none, or one of them is too short to be a key."""
        if not passphrases or any(len(text) < MIN_SECRET_CHARS for text in passphrases):
            raise ValueError(f"a secret key has at least {MIN_SECRET_CHARS} characters")
        derived = [(_derive(text, "key id", _KEY_ID_BYTES), text) for text in passphrases]
        self._newest = derived[0][0]
        self._passphrases = tuple(passphrases)
        self._ciphers = {key_id: AESGCM(_derive(text, "seal", 32)) for key_id, text in derived}

    def signing_keys(self, purpose: str) -> list[bytes]:
        """Keys of 32 bytes for signatures of our own: the first signs, each of them verifies."""
        return [_derive(text, f"sign/{purpose}", 32) for text in self._passphrases]

    def seal(self, plain: str, context: str) -> bytes:
        """Sealed bytes. `context` says whose secret it is (`webhook/wh_…`): only it opens them."""
        head = _VERSION + self._newest
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = self._ciphers[self._newest]
        return head + nonce + cipher.encrypt(nonce, plain.encode(), head + context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """The text. SecretUnreadable says which of the two reasons it is."""
        head, rest = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES:]
        cipher = self._ciphers.get(head[len(_VERSION) :])
        if head[: len(_VERSION)] != _VERSION or cipher is None:
            raise SecretUnreadable(
                "A stored secret was sealed under a key that is not there: put back the former "
                f"INFRAPRISM_SECRET_KEY or {FILE_NAME}"
            )
        try:
            nonce, text = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
            return cipher.decrypt(nonce, text, head + context.encode()).decode()
        except (InvalidTag, ValueError):
            raise SecretUnreadable("A stored secret was changed or moved") from None

    def is_outdated(self, sealed: bytes) -> bool:
        """Whether it was sealed under another key than the newest, and should be sealed anew."""
        return sealed[:_HEAD_BYTES] != _VERSION + self._newest


def open_secret_box(folder: Path, secret_key: str | None) -> SecretBox:
    """The installation's box: under the setting, or under the folder's file, made if absent.

    Both may hold several keys, newest first, with blanks or line breaks between them.
    """
    text = secret_key if secret_key is not None else _read_or_make(folder)
    source = "INFRAPRISM_SECRET_KEY" if secret_key is not None else str(folder / FILE_NAME)
    try:
        return SecretBox(text.split())
    except ValueError as error:
        raise StartupError(f"{source}: {error}") from None


def _read_or_make(folder: Path) -> str:
    path = folder / FILE_NAME
    try:
        if not path.exists():
            _make(path)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise folder_error(folder, error) from None
    except UnicodeDecodeError:
        raise StartupError(f"{path} is not text; put back the file that was there") from None


def _make(path: Path) -> None:
    """Whole or not at all, and never over another: two starts at once agree on one key."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_urlsafe(32).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(partial)
        except FileExistsError:
            return
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    finally:
        partial.unlink()


def _derive(passphrase: str, purpose: str, length: int) -> bytes:
    # No salt and no stretching: the secret is a random key, not a word somebody remembers.
    info = f"infraprism/{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(passphrase.encode())
