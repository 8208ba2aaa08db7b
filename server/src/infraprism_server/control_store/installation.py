"""Which installation this is: one row, made at the first start."""

from __future__ import annotations

import msgspec
import uuid_utils
from sqlalchemy import Engine, select

from infraprism_server import __version__
from infraprism_server.control_store.tables import installation


class Installation(msgspec.Struct, frozen=True):
    """The instance id (32 hexadecimal digits), which the event store carries too."""

    instance_id: str
    created_at_us: int


def ensure_installation(engine: Engine, now_us: int) -> Installation:
    """The installation's row, made when there is none. The schema must be current."""
    found = find_installation(engine)
    if found is not None:
        return found
    with engine.begin() as connection:
        # Read again: another process may have been first. On PostgreSQL two may both get here
        # on an empty store; the oldest row is the one for everybody.
        if connection.execute(_OLDEST).first() is None:
            connection.execute(
                installation.insert().values(
                    instance_id=uuid_utils.uuid7().hex,
                    created_at_us=now_us,
                    written_by=__version__,
                )
            )
    made = find_installation(engine)
    assert made is not None
    return made


def find_installation(engine: Engine) -> Installation | None:
    """The installation's row, or None before the first start."""
    with engine.connect() as connection:
        row = connection.execute(_OLDEST).first()
    return None if row is None else Installation(row[0], row[1])


_OLDEST = (
    select(installation.c.instance_id, installation.c.created_at_us)
    .order_by(installation.c.instance_id)
    .limit(1)
)
