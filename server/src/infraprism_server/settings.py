"""Every setting of the server: environment variables that start with INFRAPRISM_.

docs/configuration.md is generated from this class (`python -m infraprism_server.settings`), and a
test compares the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """How one installation runs. Command-line options win over the environment."""

    model_config = SettingsConfigDict(env_prefix="INFRAPRISM_", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    data_dir: Path = Field(Path("data"), description="Folder that holds everything stored.")
    public_url: str | None = Field(
        None, description="Address users reach the server by, such as https://spend.example.com."
    )
    control_url: str | None = Field(
        None,
        description="SQLAlchemy URL of the control store. Default: SQLite in the data folder.",
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Secret that encrypts what must be readable again, at least 32 characters. "
        "Default: made at first start and kept in DATA_DIR/secret.key.",
    )
    rate_limit_url: str = Field(
        "memory://", description="Where rate-limit counters live: memory:// or valkey://host:port."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Networks whose X-Forwarded-For and X-Forwarded-Proto are believed, by commas.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Host names answered to when listening beyond loopback, by commas. The public "
        "URL's host is always one of them.",
    )
    metrics_token: SecretStr | None = Field(
        None, description="Bearer token that opens /metrics to addresses beyond loopback."
    )
    log_level: str = Field("info", description="debug, info, warning or error.")
    log_format: str = Field("auto", description="json, text, or auto: text on a terminal.")
    sample: bool = Field(True, description="With --bootstrap: import the bundled real trace.")
    max_event_queue: int = Field(
        50_000, ge=1_000, description="Events that may wait for the writer before 503 is answered."
    )
    memory_limit_mb: int | None = Field(
        None, ge=128, description="Memory of the event store, MB. Default: from the machine's size."
    )
    query_threads: int | None = Field(
        None, ge=1, le=64, description="Threads of the event store. Default: the machine's cores."
    )
