"""Migrations lead to tables.py, keep a backup, and refuse what is newer."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import (
    BLOB,
    Boolean,
    Column,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    create_mock_engine,
    func,
    select,
    text,
)

from infraprism_server.control_store import migrations
from infraprism_server.control_store.engine import open_control_store, sqlite_url
from infraprism_server.control_store.installation import ensure_installation, find_installation
from infraprism_server.control_store.migrations import (
    HEAD,
    REVISIONS,
    SchemaState,
    config_for,
    migrate,
    schema_state,
)
from infraprism_server.control_store.start import start_control_store
from infraprism_server.control_store.tables import installation, metadata
from infraprism_server.data_folder import lock_folder
from infraprism_server.errors import StartupError


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Engine]:
    engine = open_control_store(sqlite_url(tmp_path))
    yield engine
    engine.dispose()


def as_written_by(engine: Engine, revision: str) -> None:
    """Make the store look as a program with another schema left it."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
        connection.execute(installation.update().values(written_by="7.3.1"))


def test_the_migrations_lead_to_the_tables_the_code_knows(empty: Engine) -> None:
    migrate(empty, None)
    with empty.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_list_of_revisions_is_the_folder_of_migrations(empty: Engine) -> None:
    with empty.connect() as connection:
        script = ScriptDirectory.from_config(config_for(connection))
    assert [one.revision for one in script.walk_revisions()][::-1] == list(REVISIONS)
    assert script.get_current_head() == HEAD


def test_the_tables_can_be_made_on_postgresql_too() -> None:
    statements: list[str] = []
    engine = create_mock_engine(
        "postgresql+psycopg://",
        lambda ddl, *_: statements.append(str(ddl.compile(dialect=engine.dialect))),
    )
    metadata.create_all(engine, checkfirst=False)
    made = [s for s in statements if s.strip().startswith("CREATE TABLE")]
    assert len(made) == len(metadata.tables)
    assert any("number SERIAL" in s for s in made)


def test_the_migrations_compile_for_postgresql_too(empty: Engine) -> None:
    out = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": out}
    )
    with empty.connect() as connection:
        script = ScriptDirectory.from_config(config_for(connection))
    with Operations.context(context):
        for one in reversed(list(script.walk_revisions())):
            one.module.upgrade()
    assert out.getvalue().count("CREATE TABLE") == len(metadata.tables)


def test_migrating_twice_changes_nothing(empty: Engine) -> None:
    assert schema_state(empty) is SchemaState.EMPTY
    migrate(empty, None)
    assert schema_state(empty) is SchemaState.CURRENT
    migrate(empty, None)
    assert schema_state(empty) is SchemaState.CURRENT


def test_processes_that_start_at_once_on_an_empty_folder_agree(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from infraprism_server.control_store.installation import find_installation
from infraprism_server.control_store.start import start_control_store
engine = start_control_store(Path({str(tmp_path / "data")!r}), None, 1, holds_folder=False)
print(find_installation(engine).instance_id)
"""
    command = [sys.executable, "-c", program]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [start.communicate(timeout=60)[0].strip() for start in starts]
    assert len(said[0]) == 32
    assert said == [said[0]] * 4


def test_the_installation_keeps_its_id(engine: Engine) -> None:
    first = ensure_installation(engine, 5)
    assert ensure_installation(engine, 6) == first
    assert len(first.instance_id) == 32


def test_a_newer_store_is_refused_and_says_what_to_install(engine: Engine) -> None:
    as_written_by(engine, "9999")
    assert schema_state(engine) is SchemaState.NEWER
    with pytest.raises(StartupError, match=r"pip install .*infraprism-server>=7\.3\.1") as caught:
        migrate(engine, None)
    assert "\n" not in caught.value.message


def test_an_older_store_is_copied_before_it_is_touched(
    engine: Engine, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one revision so far: the list says one more, so that this store is older."""
    monkeypatch.setattr(migrations, "REVISIONS", (*REVISIONS, "next"))
    monkeypatch.setattr(migrations, "HEAD", "next")
    before = find_installation(engine)
    assert schema_state(engine) is SchemaState.OLDER
    migrate(engine, data_dir / "backups")
    backup = data_dir / "backups" / f"control-schema-{REVISIONS[-1]}.db"
    assert backup.stat().st_mode & 0o777 == 0o600
    copy = sqlite3.connect(backup)
    assert copy.execute("SELECT instance_id FROM installation").fetchone() == (before.instance_id,)
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    copy.close()
    with engine.connect() as connection:
        assert connection.execute(select(installation.c.instance_id)).scalar() == before.instance_id


def test_no_schema_changes_under_a_running_server(
    engine: Engine, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "REVISIONS", (*REVISIONS, "next"))
    monkeypatch.setattr(migrations, "HEAD", "next")
    with (
        lock_folder(data_dir, "http://127.0.0.1:1"),
        pytest.raises(StartupError, match="is held by process"),
    ):
        start_control_store(data_dir, None, 0, holds_folder=False)


def test_a_store_with_deliveries_is_migrated_whole(empty: Engine) -> None:
    """Every table has a row as revision 0006 knew it: none is lost or in the way."""
    with empty.begin() as connection:
        command.upgrade(config_for(connection), "0006")
        found = MetaData()
        found.reflect(connection)
        for table in found.sorted_tables:
            if table.name in ("alembic_version", "installation"):
                continue
            row = {column.name: _filled(column) for column in table.columns}
            connection.execute(table.insert().values(row))
        before = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar()
            for table in found.sorted_tables
        }
    ensured = before.pop("installation")
    migrate(empty, None)
    with empty.connect() as connection:
        for name, count in before.items():
            if name != "alembic_version":
                kept = connection.execute(text(f"SELECT count(*) FROM {name}")).scalar()
                assert kept == count == 1, name
        assert connection.execute(text("SELECT answered FROM webhooks")).scalar() in (0, 1)
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    assert ensured == 0


def _filled(column: Column[Any]) -> object:
    """A value for a column, the same wherever another table refers to it."""
    if column.foreign_keys:
        target = next(iter(column.foreign_keys)).column
        return _filled(target)
    if isinstance(column.type, LargeBinary | BLOB):
        return b"x"
    return 1 if isinstance(column.type, Integer | Boolean) else "x"
