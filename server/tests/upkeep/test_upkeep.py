"""Retention, erasure, compaction, backup and restore as an operator has them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert, select, update

from infraprism_server.api_keys.schemas import CreateKey
from infraprism_server.clock import MICROSECONDS_PER_DAY
from infraprism_server.control_store import tables
from infraprism_server.control_store.erasure import speaks_of
from infraprism_server.control_store.start import start_control_store
from infraprism_server.data_folder import UNFINISHED_RESTORE
from infraprism_server.errors import StartupError
from infraprism_server.event_store.contract import EntityQuery, EventFilter
from infraprism_server.event_store.lasting import Compacted
from infraprism_server.upkeep import work
from infraprism_server.upkeep.manifest import Manifest
from infraprism_server.upkeep.restoring import restore
from infraprism_server.upkeep.service import UNFINISHED

CANARY = "canary-employee-4711"


def names(house, account) -> list[str]:
    page = house.store.list_entities(EntityQuery(account=account.number, sort="entity_id"))
    return [each.entity_id for each in page.entities]


def upkeep_of(house):
    """The service behind the recurring task."""
    return house.application.services["upkeep"]


def fill(house, account, entity_id: str) -> None:
    """Rows about an entity in every table that can have some."""
    now_us, number = house.clock.now_us(), account.number
    body = json.dumps({"entity_type": "employee", "entity_id": entity_id})
    named = {"account": number, "entity_type": "employee", "entity_id": entity_id}
    with house.engine.begin() as connection:
        for table, row in (
            (
                tables.limits,
                named
                | {"id": f"lim_{number}", "metric": "requests", "amount": "5", "period": "total"}
                | {"timezone": "UTC", "action": "notify", "approaching": "[]"}
                | {"created_at_us": 1, "updated_at_us": 1},
            ),
            (
                tables.limit_alerts,
                {"limit_id": f"lim_{number}", "amount": "5", "entity_id": entity_id}
                | {"period": "total", "period_start_us": 0, "threshold": "1"}
                | {"account": number, "created_at_us": 1},
            ),
            (tables.entities, named | {"name": entity_id, "metadata": "{}", "updated_at_us": 1}),
            (
                tables.anomalies,
                named
                | {"id": f"ano_{number}", "kind": "spike", "status": "open", "detail": body}
                | {"start_us": 1, "end_us": 2, "closed": False, "new_normal": False}
                | {"severity": "3", "detected_at_us": now_us, "updated_at_us": now_us},
            ),
            (
                tables.planned_activities,
                named
                | {"id": f"pla_{number}", "start_us": 1, "end_us": 2, "note": entity_id}
                | {"created_at_us": 1},
            ),
            (
                tables.outbox,
                {"id": f"msg_{number}", "account": number, "type": "limit.reached", "data": body}
                | {"created_at_us": 1},
            ),
            (
                tables.webhooks,
                {"id": f"wh_{number}", "account": number, "url": "https://example.com"}
                | {"events": "[]", "enabled": True, "secret": b"s", "created_at_us": 1},
            ),
            (
                tables.deliveries,
                {"id": f"dlv_{number}", "account": number, "webhook": f"wh_{number}"}
                | {"message": "m", "type": "t", "body": body, "status": "delivered"}
                | {"attempts": 1, "round_start": 0, "created_at_us": 1},
            ),
            (
                tables.delivery_attempts,
                {"delivery": f"dlv_{number}", "number": 1, "started_at_us": 1, "duration_ms": 1},
            ),
            (
                tables.idempotency_keys,
                {"account": number, "key": "k", "route": "r", "body_hash": b"", "status": 201}
                | {"holds_secret": False, "object_id": "o", "answer": body.encode()}
                | {"created_at_us": now_us},
            ),
            (
                tables.jobs,
                {"id": f"rpr_{number}", "account": number, "kind": "reprice", "input": "{}"}
                | {"status": "completed", "attempts": 1, "created_at_us": 1}
                | {"progress": json.dumps({"entities": [["employee", entity_id, 1, 2, 3]]})},
            ),
        ):
            connection.execute(insert(table).values(row))


def test_retention_deletes_what_is_older_and_nothing_younger(house) -> None:
    """To the hour, for the account that asked for it; names without events go, told ones stay."""
    for days in (40.0, 31.0, 30.1, 29.9, 1.0):
        house.call(house.ann, days, entity_id=f"d{days}")
        house.call(house.bob, days)
    upkeep = upkeep_of(house)
    assert upkeep.ask_for_due_expiries() == 0, "null keeps everything"
    house.keep(house.ann, 30)
    with house.engine.begin() as connection:
        named = {"account": house.ann.number, "entity_type": "customer", "entity_id": "d40.0"}
        connection.execute(
            insert(tables.entities).values(named | {"metadata": "{}", "updated_at_us": 1})
        )
    assert upkeep.ask_for_due_expiries() == 1
    assert upkeep.ask_for_due_expiries() == 0, "it is under way"
    assert house.application.upkeep.run_due() == 1
    assert [event.entity_id for event in house.events(house.ann)] == ["d29.9", "d1.0"]
    assert sorted(names(house, house.ann)) == ["d1.0", "d29.9", "d40.0"]
    assert len(house.events(house.bob)) == 5
    house.clock.advance(timedelta(days=1))
    assert upkeep.ask_for_due_expiries() == 1
    house.application.upkeep.run_due()
    assert [event.entity_id for event in house.events(house.ann)] == ["d1.0"]
    house.clock.advance(timedelta(days=8))
    upkeep.ask_for_due_expiries()
    with house.engine.connect() as connection:
        kinds = connection.execute(select(tables.jobs.c.kind)).scalars().all()
    assert kinds == [], "old expiries are not kept either"


def test_an_erased_entity_is_nowhere_any_more(house) -> None:
    """In no byte of the control store after a compaction, and in no answer of the event store."""
    for days in (1.0, 2.0, 3.0):
        house.call(house.ann, days, entity_type="employee", entity_id=CANARY)
    house.call(house.ann, 1.0)
    house.call(house.bob, 1.0, entity_type="employee", entity_id="other-4711")
    fill(house, house.ann, CANARY)
    fill(house, house.bob, "other-4711")
    asked = work.Erasure(
        account=house.ann.number, entity_type="employee", entity_id=CANARY, dry_run=True
    )
    looked = house.do(work.ERASE, asked, work.Erased)
    assert (looked.events, looked.cost_pico) == (3, 15)
    assert len(house.events(house.ann)) == 4
    erased = house.do(work.ERASE, msgspec.structs.replace(asked, dry_run=False), work.Erased)
    assert erased.events == 3
    assert [event.entity_id for event in house.events(house.ann)] == ["acme"]
    assert names(house, house.ann) == ["acme"]
    house.do(work.COMPACT, work.Compaction(), Compacted)
    stored = house.stored_bytes()
    assert CANARY.encode() not in stored
    assert stored.count(b"other-4711") >= 8
    assert CANARY.encode() not in (house.folder / "events.duckdb").read_bytes()


def test_a_pseudonymised_entity_keeps_its_totals_and_nothing_else(house) -> None:
    event = house.call(
        house.ann,
        1.0,
        entity_type="employee",
        entity_id=CANARY,
        tags='{"user":"x"}',
        session_id="s",
    )
    fill(house, house.ann, CANARY)
    wanted = work.Erasure(
        account=house.ann.number, entity_type="employee", entity_id=CANARY, mode="pseudonymise"
    )
    erased = house.do(work.ERASE, wanted, work.Erased)
    assert erased.pseudonym is not None
    (kept,) = house.events(house.ann)
    assert kept == msgspec.structs.replace(
        event, entity_id=erased.pseudonym, tags=None, session_id=None
    )
    assert names(house, house.ann) == [erased.pseudonym]
    house.do(work.COMPACT, work.Compaction(), Compacted)
    assert CANARY.encode() not in house.stored_bytes()


def test_tags_stay_where_the_operator_says_so(house) -> None:
    house.call(house.ann, 1.0, entity_id=CANARY, tags='{"job":"x"}', session_id="s")
    wanted = work.Erasure(
        account=house.ann.number,
        entity_type="customer",
        entity_id=CANARY,
        mode="pseudonymise",
        keep_tags=True,
    )
    house.do(work.ERASE, wanted, work.Erased)
    (kept,) = house.events(house.ann)
    assert (kept.tags, kept.session_id) == ('{"job":"x"}', "s")


@pytest.mark.parametrize("mode", ["delete", "pseudonymise"])
def test_an_erased_account_is_nowhere_any_more(house, mode: work.Mode) -> None:
    """No row of any table, and nobody gets in; the other account has all that it had."""
    for days in (1.0, 2.0):
        house.call(house.ann, days, entity_type="employee", entity_id=CANARY)
        house.call(house.bob, days, entity_type="employee", entity_id="other-4711")
    fill(house, house.ann, CANARY)
    fill(house, house.bob, "other-4711")
    key = house.application.api_keys.create(house.ann.number, CreateKey("k")).key
    assert house.application.api_keys.authenticate(key) is not None
    erased = house.do(work.ERASE, work.Erasure(account=house.ann.number, mode=mode), work.Erased)
    assert erased.events == 2
    house.clock.advance(timedelta(seconds=1))
    assert house.application.api_keys.authenticate(key) is None
    kept = house.events(house.ann)
    assert len(kept) == (0 if mode == "delete" else 2)
    assert all(event.entity_id != CANARY for event in kept)
    with house.engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            if "account" in table.c:
                mine = select(table).where(table.c.account == house.ann.number)
                assert connection.execute(mine).all() == [], table.name
    accounts, total = house.application.accounts.page(limit=10)
    assert total == (1 if mode == "delete" else 2)
    assert {account.email for account in accounts} & {"ann@example.com"} == set()
    assert len(house.events(house.bob)) == 2
    house.do(work.COMPACT, work.Compaction(), Compacted)
    stored = house.stored_bytes()
    for text in (CANARY, "ann@example.com", "ann Corp"):
        assert text.encode() not in stored, text
    assert stored.count(b"other-4711") >= 8


def test_an_erasure_that_was_killed_is_finished_and_says_what_it_found(house) -> None:
    """An attempt that finds nothing left is the end of the one before it."""
    house.call(house.ann, 1.0, entity_id=CANARY)
    wanted = work.Erasure(account=house.ann.number, entity_type="customer", entity_id=CANARY)
    job = house.jobs.insert(work.ERASE, None, wanted)
    held = house.jobs.lease([work.ERASE], "killed")
    assert held is not None
    house.jobs.save_progress(held, work.Done(0.5, "events", work.Erased(events=1, cost_pico=5)))
    house.store.delete_events(EventFilter(account=house.ann.number), lambda _: None)
    assert house.jobs.reclaim([work.ERASE]) == 1
    done = house.done(job)
    assert done.status == "completed"
    assert msgspec.json.decode(done.result or "", type=work.Erased).events == 1
    assert CANARY not in done.input


def test_what_is_not_there_can_not_be_erased(house) -> None:
    """Said at once, and not tried five times."""
    wanted = work.Erasure(account=house.ann.number, entity_type="customer", entity_id="nobody")
    done = house.done(house.jobs.insert(work.ERASE, None, wanted))
    assert (done.status, done.attempts) == ("failed", 1)
    assert done.error == "There is no customer 'nobody'"


def test_a_restored_backup_answers_the_same(house, open_house, tmp_path: Path) -> None:
    """Both stores and the key; the backup's own job is over there, and an erasure would go on."""
    event = house.call(house.ann, 1.0)
    fill(house, house.ann, "kept-1")
    key = house.application.api_keys.create(house.ann.number, CreateKey("k")).key
    unfinished = work.Erasure(account=house.bob.number, entity_type="t", entity_id="e")
    backup = tmp_path / "backup"
    made = house.do(work.BACK_UP, work.Backup(str(backup)), Manifest)
    house.jobs.insert(work.ERASE, None, unfinished)
    assert (made.events, made.control_store, made.key_file) == (1, "included", "included")
    assert {path.stat().st_mode & 0o777 for path in backup.iterdir()} == {0o600}
    assert not (backup / UNFINISHED).exists()
    target = tmp_path / "restored"
    told: list[float] = []
    restore(backup, target, told.append, control_elsewhere=False)
    assert told[-1] == 1.0
    with open_house(target, house.clock) as again:
        assert again.events(again.ann) == [event]
        assert again.application.api_keys.authenticate(key) is not None
        assert again.application.upkeep.run_due() == 0, "the backup does not make itself again"
        assert b"kept-1" in again.stored_bytes()


def test_rates_that_came_after_the_control_store_was_copied_are_in_the_backup(
    house, tmp_path: Path
) -> None:
    """Events are copied later: each finds the rates it was priced with."""
    from infraprism_server.control_store.snapshot import copy_control_store, settle_copy

    assert copy_control_store(house.engine, tmp_path) is not None
    with house.engine.begin() as connection:
        row = {"digest": "d", "provider": "p", "model": "m", "rates": "{}", "created_at_us": 1}
        connection.execute(insert(tables.price_rates).values(row))
    settle_copy(house.engine, tmp_path, house.clock.now_us(), over=())
    copy = start_control_store(tmp_path, None, house.clock.now_us(), holds_folder=True)
    with copy.connect() as connection:
        assert connection.execute(select(tables.price_rates.c.digest)).scalars().all() == ["d"]
    copy.dispose()


def test_a_folder_that_is_not_empty_is_refused(house, tmp_path: Path) -> None:
    """For a backup, but for the one its own job began; and for a restore."""
    folder = tmp_path / "backup"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    done = house.done(house.jobs.insert(work.BACK_UP, None, work.Backup(str(folder))))
    assert done.status == "failed"
    assert "is not empty" in (done.error or "")
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    job = house.jobs.insert(work.BACK_UP, None, work.Backup(str(tmp_path / "second")))
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / UNFINISHED).write_text(job.id)
    (tmp_path / "second" / "control.db").write_text("half")
    assert house.done(job).status == "completed"
    with pytest.raises(StartupError, match="is not empty"):
        restore(tmp_path / "second", house.folder, lambda _: None, control_elsewhere=False)


@pytest.mark.parametrize("name", ["events.duckdb", "control.db", "secret.key", "manifest.json"])
def test_a_changed_backup_is_not_restored(house, tmp_path: Path, name: str) -> None:
    """A flipped byte in any file is found before anything is written."""
    backup, target = tmp_path / "backup", tmp_path / "restored"
    house.do(work.BACK_UP, work.Backup(str(backup)), Manifest)
    content = bytearray((backup / name).read_bytes())
    content[len(content) // 2] ^= 0x55
    (backup / name).write_bytes(content)
    with pytest.raises(StartupError):
        restore(backup, target, lambda _: None, control_elsewhere=False)
    assert not target.exists()


def test_a_restore_that_was_killed_is_noticed_and_done_again(
    house, open_house, tmp_path: Path
) -> None:
    """No server starts on half of it; the same command begins anew."""
    house.call(house.ann, 1.0)
    backup, target = tmp_path / "backup", tmp_path / "restored"
    house.do(work.BACK_UP, work.Backup(str(backup), secret_key=False), Manifest)

    def die(part: float) -> None:
        if part > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(backup, target, die, control_elsewhere=False)
    assert (target / UNFINISHED_RESTORE).exists()
    with pytest.raises(StartupError, match="did not finish"):
        start_control_store(target, None, 0, holds_folder=True)
    made = restore(backup, target, lambda _: None, control_elsewhere=False)
    assert made.key_file == "left out"
    with open_house(target, house.clock) as again:
        assert len(again.events(again.ann)) == 1


def test_leases_of_a_killed_server_end_when_the_next_one_starts(
    tmp_path: Path, open_house, clock
) -> None:
    """What it was at goes on at once, and not after the lease."""
    with open_house(tmp_path, clock) as first:
        job = first.jobs.insert(work.COMPACT, None, work.Compaction())
        assert first.jobs.lease([work.COMPACT], "killed") is not None
        with first.engine.begin() as connection:
            later = clock.now_us() + MICROSECONDS_PER_DAY
            connection.execute(update(tables.jobs).values(leased_until_us=later))
    with open_house(tmp_path, clock) as second:
        assert second.done(job).status == "completed"


@pytest.mark.parametrize(
    ("text", "speaks"),
    [
        ('{"entity_type":"team","entity_id":"core"}', True),
        ('{"data":[{"x":{"entity_type":"team","entity_id":"core"}}]}', True),
        ('{"entity_id":"core"}', True),
        ('{"entity_type":"customer","entity_id":"core"}', False),
        ('{"model":"core"}', False),
        ('["team","core",3]', True),
        ("not json", False),
    ],
)
def test_json_speaks_of_an_entity_by_type_and_id(text: str, speaks: bool) -> None:
    assert speaks_of(text, "team", "core") is speaks
