"""Writers: threads that send seeded batches, retry what was cut, and note it in a journal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from threading import Event, Thread

from contract_tests.harness.client import CONNECTION_ERRORS, Client
from contract_tests.harness.oracle import Journal, Row
from contract_tests.harness.traffic import batch

RETRY_SECONDS = 0.02
MAX_BATCH = 40


class Writer(Thread):
    """Sends batch after batch until it is told to stop.

    A batch whose answer never came is sent again, byte by byte the same, as a client would; one
    in five is given up instead, so that there is also what may be stored or not.
    """

    def __init__(self, url: str, key: str, journal: Journal, *, seed: int, name: str) -> None:
        super().__init__(name=f"writer-{name}", daemon=True)
        self._url = url
        self._key = key
        self._journal = journal
        self._random = Random(seed)
        self._prefix = name
        self._stopping = Event()
        self.batches = 0
        self.cut_after_sending: list[float] = []
        """When requests left (time.monotonic) that were sent whole and never answered."""
        self.statuses: dict[int, int] = {}
        self.failure: BaseException | None = None

    def run(self) -> None:
        client = Client(self._url, self._key, timeout_seconds=20)
        number = 0
        try:
            while not self._stopping.is_set():
                events = batch(
                    self._random, f"{self._prefix}-{number}", self._random.randint(1, MAX_BATCH)
                )
                number += 1
                self._journal.send(events)
                self._deliver(client, events)
        except BaseException as error:  # noqa: BLE001 - told by `stop`
            self.failure = error
        finally:
            client.close()

    def _deliver(self, client: Client, events: list[Row]) -> None:
        while not self._stopping.is_set():
            started = time.monotonic()
            try:
                answer = client.post("/v1/events", {"events": events})
            except ConnectionRefusedError:  # nothing was sent
                time.sleep(RETRY_SECONDS)
                continue
            except CONNECTION_ERRORS:
                self.cut_after_sending.append(started)
                if self._random.random() < 0.2:
                    return
                time.sleep(RETRY_SECONDS)
                continue
            self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
            if answer.status == 200:
                self._journal.acknowledge(events, answer.json())
                self.batches += 1
                return
            assert answer.status == 503, answer
            time.sleep(RETRY_SECONDS)

    def stop(self) -> None:
        """End after the request under way; raises what went wrong inside."""
        self._stopping.set()
        self.join(40)
        assert not self.is_alive(), "a writer hangs"
        if self.failure is not None:
            raise self.failure


@contextmanager
def writing(
    url: str, key: str, journal: Journal, *, seed: int, writers: int, run: str
) -> Iterator[list[Writer]]:
    """`writers` threads that write while the block runs."""
    threads = [
        Writer(url, key, journal, seed=seed * 1_000 + number, name=f"{run}-w{number}")
        for number in range(writers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        for thread in threads:
            thread.stop()
