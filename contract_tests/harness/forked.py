"""Processes forked from one that has imported the server already, the command `infraprism` first.

Importing takes most of a start's time, and the tests start more than a hundred servers. What the
command does after its imports is done anew in each process; its start from nothing is for
server/tests/test_serve.py, `make bench`, and whoever asks a ServerProcess for it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["contract_tests.harness.preloaded"])


class Forked:
    """A function in a process of its own; as much of subprocess.Popen as its users need."""

    def __init__(
        self, target: Callable[..., object], *arguments: Any, stdout: Path, stderr: Path
    ) -> None:
        """Begin it in a session of its own; what it prints is added to these files."""
        prints = (str(stdout), str(stderr))
        self._process = _CONTEXT.Process(target=_run, args=(target, arguments, prints), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired("infraprism", timeout or 0.0)
        return status

    def kill(self) -> None:
        """kill -9 of its session, or of itself as long as it has not begun one."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


def forked_command(
    arguments: Sequence[str], environment: Mapping[str, str], stdout: Path, stderr: Path
) -> Forked:
    """Begin `infraprism` with these words."""
    words, variables = list(arguments), dict(environment)
    return Forked(_command, words, variables, stdout=stdout, stderr=stderr)


def run_forked(
    target: Callable[..., object], *arguments: Any, seconds: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Wait for it: its exit status, and what it printed."""
    with TemporaryDirectory() as prints:
        said, told = Path(prints, "said"), Path(prints, "told")
        status = Forked(target, *arguments, stdout=said, stderr=told).wait(seconds)
        return subprocess.CompletedProcess(arguments, status, said.read_text(), told.read_text())


def run_forked_command(
    arguments: Sequence[str], environment: Mapping[str, str], seconds: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """The same of `infraprism` with these words."""
    return run_forked(_command, list(arguments), dict(environment), seconds=seconds)


def _run(
    target: Callable[..., object], arguments: tuple[Any, ...], prints: tuple[str, str]
) -> None:
    os.setsid()
    for descriptor, path in enumerate(prints, start=1):
        told = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(told, descriptor)
        os.close(told)
    target(*arguments)


def _command(words: list[str], environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["infraprism", *words]
    from infraprism_server.cli import main

    main(prog_name="infraprism")
