"""The data folder is private and has one holder."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from infraprism_server.data_folder import (
    Holder,
    find_holder,
    folder_error,
    lock_folder,
    make_folder,
)
from infraprism_server.errors import StartupError


def test_a_new_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "data")
    assert (tmp_path / "a" / "data").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    make_folder(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o750


def test_a_file_in_the_way_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    for folder in (tmp_path / "data", tmp_path / "data" / "deeper"):
        with pytest.raises(StartupError, match="it is not a folder; choose another"):
            make_folder(folder)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "no permission to write there"),
        (errno.EROFS, "read-only"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_each_trouble_says_what_to_do(tmp_path: Path, number: int, words: str) -> None:
    error = folder_error(tmp_path, OSError(number, "Input/output error"))
    assert words in error.message
    assert "\n" not in error.message


def test_a_second_start_says_which_process_holds_the_folder(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from infraprism_server.data_folder import lock_folder\n"
        f"lock = lock_folder(pathlib.Path({str(tmp_path)!r}), None)\n"
        "lock.announce('http://127.0.0.1:8080')\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert find_holder(tmp_path) == Holder(child.pid, "http://127.0.0.1:8080")
        with pytest.raises(
            StartupError, match=rf"held by process {child.pid} \(http://127.0.0.1:8080\)"
        ):
            lock_folder(tmp_path, None)
        child.kill()  # no chance to clean up: the lock ends with the process
        child.wait()
    assert find_holder(tmp_path) is None
    with lock_folder(tmp_path, None):
        assert find_holder(tmp_path) is not None
    assert find_holder(tmp_path) is None


def test_nobody_holds_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert find_holder(tmp_path / "none") is None
