"""The order of an import: open, plan, shift, translate, send several batches at once, remember."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from infraprism_server.clock import MICROSECONDS_PER_DAY, Clock
from infraprism_server.importer.block import Block
from infraprism_server.importer.checkpoint import Checkpoint, Progress
from infraprism_server.importer.mapping import Mapping, resolve
from infraprism_server.importer.reader import Source, open_source
from infraprism_server.importer.sender import Answer, Sender, StoppedError
from infraprism_server.importer.summary import Counts
from infraprism_server.importer.translation import Event, Rejection, Translated, Translator

IN_FLIGHT: Final = 4
TO_YESTERDAY: Final = "to-yesterday"
_SHOWN_EVENTS = 5
_SAVE_EVERY_SECONDS = 2.0

OnRejected: TypeAlias = Callable[[Path, Rejection], None]


class Reporter(Protocol):
    """Who is told how it goes."""

    def started(self, path: Path) -> None: ...

    def moved(self, fraction: float, counts: Counts) -> None: ...

    def note(self, text: str) -> None: ...


@dataclass(frozen=True)
class Request:
    """One call of the command."""

    files: tuple[Path, ...]
    mapping: Mapping
    url: str
    api_key: str
    state_folder: Path
    file_format: str | None = None
    shift: int | str = 0
    """Whole days, or TO_YESTERDAY."""
    dry_run: bool = False


@dataclass
class _Unit:
    """One block on its way."""

    block: Block
    translated: Translated
    answer: Future[Answer] | None


@dataclass
class Import:
    """One run. `counts` is true at any moment, also after a failure."""

    request: Request
    reporter: Reporter
    clock: Clock
    stop: threading.Event
    on_rejected: OnRejected
    counts: dict[Path, Counts] = field(default_factory=dict)
    shift_days: int = 0
    first_events: list[Event] = field(default_factory=list)
    """With dry_run: the first events as they would be sent."""

    def run(self) -> None:
        """Do all files. Raises MappingError, UnreadableFileError, SendingError or StoppedError."""
        request = self.request
        for path in request.files:  # a mapping that does not fit the last file is said first
            with _opened(path, request.file_format) as source:
                resolve(request.mapping, source.columns())
        self.shift_days = self._days()
        with ExitStack() as stack:
            sender = None
            if not request.dry_run:
                sender = Sender(
                    request.url,
                    request.api_key,
                    connections=IN_FLIGHT,
                    notify=self.reporter.note,
                    stop=self.stop,
                )
                stack.callback(sender.close)
            pool = stack.enter_context(ThreadPoolExecutor(IN_FLIGHT))
            for path in request.files:
                self._import_file(path, sender, pool)

    def total(self) -> Counts:
        return Counts().add(self.counts.values())

    def _days(self) -> int:
        """How many days everything is moved by: the same for all files of one call."""
        if self.request.shift != TO_YESTERDAY:
            return int(self.request.shift)
        latest: int | None = None
        for path in self.request.files:
            with _opened(path, self.request.file_format) as source:
                translator = self._translator(source)
                for block in source.blocks():
                    found = translator.latest(block)
                    latest = max(filter(None, (latest, found)), default=None)
                    if self.stop.is_set():
                        raise StoppedError
        if latest is None:
            return 0
        yesterday = self.clock.now_us() // MICROSECONDS_PER_DAY - 1
        return yesterday - latest // MICROSECONDS_PER_DAY

    def _translator(self, source: Source) -> Translator:
        plan = resolve(self.request.mapping, source.columns())
        zone = self.request.mapping.timezone
        shift_us = self.shift_days * MICROSECONDS_PER_DAY
        return Translator(plan, None if zone is None else ZoneInfo(zone), shift_us)

    def _checkpoint(self, path: Path) -> Checkpoint:
        request = self.request
        mapping = request.mapping
        asked = msgspec.json.encode(
            [
                sorted(mapping.columns.items()),
                sorted(mapping.constants.items()),
                mapping.assumed_model,
                mapping.timezone,
                request.file_format,
                self.shift_days,
            ]
        ).decode()
        key = hashlib.sha256(request.api_key.encode()).hexdigest()
        return Checkpoint(request.state_folder, path, request.url, key, asked)

    def _import_file(self, path: Path, sender: Sender | None, pool: ThreadPoolExecutor) -> None:
        checkpoint = self._checkpoint(path)
        progress = None if sender is None else checkpoint.load()
        if progress is None:
            progress = Progress(rows=0, counts=Counts())
        elif progress.rows:
            self.reporter.note(f"{path.name}: going on after {progress.rows:,} lines")
        self.counts[path] = progress.counts
        self.reporter.started(path)
        waiting: deque[_Unit] = deque()
        with _opened(path, self.request.file_format) as source:
            saved_at = time.monotonic()
            try:
                for unit in self._units(source, progress.rows, sender, pool):
                    waiting.append(unit)
                    while len(waiting) > 2 * IN_FLIGHT:
                        self._settle(path, progress, waiting)
                    self.reporter.moved(source.fraction(), progress.counts)
                    if sender is not None and time.monotonic() - saved_at > _SAVE_EVERY_SECONDS:
                        checkpoint.save(progress)
                        saved_at = time.monotonic()
                while waiting:
                    self._settle(path, progress, waiting)
                self.reporter.moved(1.0, progress.counts)
            except BaseException:
                self.stop.set()
                self._settle_answered(path, progress, waiting)
                if sender is not None and progress.rows:
                    checkpoint.save(progress)
                raise
        if sender is not None:
            checkpoint.clear()

    def _units(
        self, source: Source, skip: int, sender: Sender | None, pool: ThreadPoolExecutor
    ) -> Iterator[_Unit]:
        """The file's blocks, being sent, but for the first `skip` rows.

        Skipped rows are translated too: the ordinals of later ones depend on them. A checkpoint
        always lies between two blocks, because blocks of the same file are the same.
        """
        translator = self._translator(source)
        seen = 0
        for block in source.blocks():
            if self.stop.is_set():
                raise StoppedError
            translated = translator.translate(block)
            seen += translated.count
            if seen <= skip:
                continue
            answer = None
            if sender is not None and translated.events:
                answer = pool.submit(sender.send, translated.events)
            yield _Unit(block, translated, answer)

    def _settle(self, path: Path, progress: Progress, waiting: deque[_Unit]) -> None:
        """Wait for the oldest block and count what became of it."""
        unit = waiting[0]
        translated = unit.translated
        answer = Answer(len(translated.events), 0, ()) if unit.answer is None else None
        if unit.answer is not None:
            answer = unit.answer.result()
        assert answer is not None
        waiting.popleft()
        counts = progress.counts
        counts.accepted += answer.accepted
        counts.duplicates += answer.duplicates
        rejected = translated.rejected + [
            Rejection(
                translated.lines[fault.index],
                fault.code,
                fault.param,
                fault.message,
                unit.block.record(translated.rows[fault.index]),
            )
            for fault in answer.rejected
        ]
        for rejection in rejected:
            counts.reject(rejection.line, rejection.code, rejection.param, rejection.message)
            self.on_rejected(path, rejection)
        progress.rows += translated.count
        if unit.answer is None and len(self.first_events) < _SHOWN_EVENTS:
            self.first_events += translated.events[: _SHOWN_EVENTS - len(self.first_events)]

    def _settle_answered(self, path: Path, progress: Progress, waiting: deque[_Unit]) -> None:
        """Count the oldest blocks that still get their answer, so that they are not sent again."""
        for unit in waiting:
            if unit.answer is not None:
                unit.answer.cancel()
        while waiting:
            answer = waiting[0].answer
            if answer is not None and (answer.cancelled() or answer.exception() is not None):
                return
            self._settle(path, progress, waiting)


@contextmanager
def _opened(path: Path, file_format: str | None) -> Iterator[Source]:
    source = open_source(path, file_format)
    try:
        yield source
    finally:
        source.close()
