"""The SQLite engine under several threads and processes."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select, update

from infraprism_server.control_store.engine import open_control_store, sqlite_url
from infraprism_server.control_store.tables import installation, price_rates
from infraprism_server.errors import StartupError, Unavailable

ROW = {
    "provider": "openai",
    "model": "gpt-4o",
    "rates": "{}",
    "created_at_us": 0,
}


def test_every_connection_is_durable_and_checks_foreign_keys(engine: Engine) -> None:
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


def test_a_read_waits_for_no_writer_and_sees_what_was_committed(engine: Engine) -> None:
    with engine.begin() as writer:
        writer.execute(update(installation).values(written_by="9"))
        with engine.connect() as reader:
            seen = reader.execute(select(installation.c.written_by)).scalar_one()
    assert seen != "9"
    with engine.connect() as reader:
        assert reader.execute(select(installation.c.written_by)).scalar_one() == "9"


def test_threads_that_read_and_then_write_lose_no_update(engine: Engine) -> None:
    """A deferred transaction would fail here: its snapshot is outdated when it writes."""

    def add_one(_: int) -> None:
        with engine.begin() as connection:
            value = connection.execute(select(installation.c.created_at_us)).scalar_one()
            connection.execute(update(installation).values(created_at_us=value + 1))

    with engine.connect() as connection:
        before = connection.execute(select(installation.c.created_at_us)).scalar_one()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(add_one, range(200)))
    with engine.connect() as connection:
        after = connection.execute(select(installation.c.created_at_us)).scalar_one()
    assert after - before == 200


def test_a_second_process_writes_beside_this_one(engine: Engine, data_dir: Path) -> None:
    program = f"""
from pathlib import Path
from infraprism_server.control_store.engine import open_control_store, sqlite_url
from infraprism_server.control_store.tables import price_rates
engine = open_control_store(sqlite_url(Path({str(data_dir)!r})))
for n in range(100):
    with engine.begin() as connection:
        connection.execute(price_rates.insert().values(digest=f"child-{{n}}", **{ROW!r}))
"""
    with subprocess.Popen([sys.executable, "-c", program]) as child:
        for n in range(100):
            with engine.begin() as connection:
                connection.execute(insert(price_rates).values(digest=f"parent-{n}", **ROW))
        assert child.wait(60) == 0
    with engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(price_rates)).scalar_one()
    assert count == 200


def test_a_full_disk_is_unavailable_and_leaves_the_store_usable(engine: Engine) -> None:
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.rollback()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.rollback()
        big = {**ROW, "rates": "x" * 100_000}
        with pytest.raises(Unavailable, match="disk of the data folder is full"):
            connection.execute(insert(price_rates).values(digest="big", **big))
    with engine.connect() as connection:
        assert connection.execute(select(price_rates.c.id)).all() == []


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://host/db", "postgres?//x"])
def test_a_url_that_is_no_control_store_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(StartupError, match="INFRAPRISM_CONTROL_URL") as caught:
        open_control_store(url)
    assert "\n" not in caught.value.message


def test_the_url_of_a_folder_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert sqlite_url(Path("data")) == f"sqlite:///{tmp_path}/data/control.db"
