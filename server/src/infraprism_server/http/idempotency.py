"""Idempotency keys: one object however often its creation is sent, for 24 hours.

The claim is written in the transaction that makes the object: both are there or neither is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, and_, select
from sqlalchemy.exc import IntegrityError

from infraprism_server.clock import MICROSECONDS_PER_DAY
from infraprism_server.control_store.tables import idempotency_keys
from infraprism_server.errors import Conflict, InvalidRequest, Unavailable

HEADER = "Idempotency-Key"
KEPT_US = MICROSECONDS_PER_DAY
MAX_KEY_CHARS = 255
_VISIBLE_ASCII = re.compile(rf"[\x21-\x7e]{{1,{MAX_KEY_CHARS}}}")
_ATTEMPTS = 3
_UNFINISHED = 0


class IdempotentRequest(msgspec.Struct, frozen=True):
    """What makes two requests the same. `route` is a method and a path template."""

    key: str
    route: str
    body_hash: bytes


class Created(msgspec.Struct, frozen=True):
    """What a creation came to. `answer` is the body, or None when it holds a secret."""

    object_id: str
    status: int
    answer: bytes | None
    replayed: bool = False


def idempotency_key_of(header: str | None) -> str | None:
    """The header's key. InvalidRequest unless it is 1 to 255 visible ASCII characters."""
    if header is None:
        return None
    if _VISIBLE_ASCII.fullmatch(header) is None:
        raise InvalidRequest(
            f"'{HEADER}' has 1 to {MAX_KEY_CHARS} visible ASCII characters", HEADER
        )
    return header


def idempotent_request(header: str | None, route: str, body: bytes) -> IdempotentRequest | None:
    """The request as a claim, or None when it has no key. The body counts byte by byte."""
    key = idempotency_key_of(header)
    if key is None:
        return None
    return IdempotentRequest(key, route, hashlib.sha256(body).digest())


def run_idempotent(
    connection: Connection,
    account: int,
    request: IdempotentRequest,
    now_us: int,
    create: Callable[[Connection], Created],
) -> Created:
    """Make the object, or answer what was answered when it was made.

    Runs in the caller's transaction, whose failure gives the key back. Of parallel requests one
    inserts the claim and the others wait for its transaction. Conflict: the key was used for
    another body or route, or its answer held a secret, which is never stored.
    """
    mine = and_(
        idempotency_keys.c.account == account,
        idempotency_keys.c.key == request.key,
    )
    for _ in range(_ATTEMPTS):
        if _claimed(connection, account, request, now_us):
            made = create(connection)
            connection.execute(
                idempotency_keys.update()
                .where(mine)
                .values(
                    object_id=made.object_id,
                    status=made.status,
                    answer=made.answer,
                    holds_secret=made.answer is None,
                )
            )
            return made
        row = connection.execute(select(idempotency_keys).where(mine)).mappings().first()
        if row is None:
            continue  # whoever held it has failed, or it was purged just now
        if row["created_at_us"] <= now_us - KEPT_US:
            too_old = and_(mine, idempotency_keys.c.created_at_us == row["created_at_us"])
            connection.execute(idempotency_keys.delete().where(too_old))
            continue
        return _replay(row, request)
    raise Unavailable(f"Requests with this {HEADER} are too many at once; try again")


def answer_once(
    engine: Engine,
    account: int,
    request: IdempotentRequest | None,
    now_us: int,
    create: Callable[[Connection], tuple[str, bytes]],
) -> bytes:
    """Make an object whose answer holds no secret, in a transaction of its own.

    `create` answers the object's id and the body (status 201). With a key the body is kept, and
    a replay gets the same one.
    """

    def created(connection: Connection) -> Created:
        object_id, body = create(connection)
        return Created(object_id, 201, body)

    with engine.begin() as connection:
        if request is None:
            return create(connection)[1]
        made = run_idempotent(connection, account, request, now_us, created)
    assert made.answer is not None
    return made.answer


def purge_idempotency_keys(connection: Connection, now_us: int) -> int:
    """Forget keys older than 24 hours, of all accounts. Answers how many there were."""
    old = idempotency_keys.c.created_at_us <= now_us - KEPT_US
    return connection.execute(idempotency_keys.delete().where(old)).rowcount


def _claimed(connection: Connection, account: int, request: IdempotentRequest, now_us: int) -> bool:
    try:
        # A savepoint: PostgreSQL gives up the whole transaction after a failed statement.
        with connection.begin_nested():
            connection.execute(
                idempotency_keys.insert().values(
                    account=account,
                    key=request.key,
                    route=request.route,
                    body_hash=request.body_hash,
                    holds_secret=False,
                    object_id="",
                    status=_UNFINISHED,
                    created_at_us=now_us,
                )
            )
    except IntegrityError:
        return False
    return True


def _replay(row: RowMapping, request: IdempotentRequest) -> Created:
    if row["route"] != request.route or row["body_hash"] != request.body_hash:
        raise Conflict(f"This {HEADER} was used for another request; take a new one", HEADER)
    if row["holds_secret"]:
        raise Conflict(
            f"This request has made {row['object_id']} already, and its secret is shown only once; "
            "delete that and make a new one with a new key if the answer was lost",
            HEADER,
        )
    return Created(row["object_id"], row["status"], row["answer"], replayed=True)
