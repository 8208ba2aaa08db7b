"""A server whose certificate is signed by a company's own authority."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sdk.tests.fake_server import FakeServer

CALLS = """
import infraprism
infraprism.track(provider="openai", model="m", input_tokens=1)
infraprism.flush({seconds})
"""


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """An authority that signed itself, with its key: what 127.0.0.1 shows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Acme Authority")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "authority.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return file


def test_it_is_reached_when_the_environment_names_the_authority(certificate: Path) -> None:
    arrived, told = _reported(certificate, 30, SSL_CERT_FILE=str(certificate))
    assert arrived == 1
    assert "uploads fail" not in told


def test_without_it_nothing_is_told_to_whoever_answers(certificate: Path) -> None:
    arrived, told = _reported(certificate, 8)
    assert arrived == 0
    assert "uploads fail (ConnectError)" in told, "it was tried, and the certificate refused"


def _reported(certificate: Path, seconds: int, **variables: str) -> tuple[int, str]:
    """Events that arrive within so many seconds from a process with these variables; its errors."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with FakeServer(tls=tls) as fake:
        inherited = {name: value for name, value in os.environ.items() if "SSL_CERT" not in name}
        done = subprocess.run(
            [sys.executable, "-c", CALLS.format(seconds=seconds)],
            env={
                **inherited,
                **variables,
                "INFRAPRISM_API_KEY": "ip-test",
                "INFRAPRISM_BASE_URL": fake.url,
            },
            check=True,
            timeout=60,
            capture_output=True,
            text=True,
        )
        return len(fake.events), done.stderr
