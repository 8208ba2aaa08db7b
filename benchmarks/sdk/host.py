"""The host: a program that calls a provider with the bare client and with ours, by turns.

`python -m benchmarks.sdk.host KIND PROVIDER_URL CALLS` prints one JSON object. KIND: calls (times
of each call), memory (grown by CALLS calls with ours), memory-bare, exit,
exit-bare, own (our own code alone).
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import openai
from openai._models import FinalRequestOptions
from openai.types.chat import ChatCompletion

from benchmarks.sdk.servers import CHAT

WARM_UP: Final = 200
ASK: Final[dict[str, Any]] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Hello, how are you today?"}],
}
WHO: Final[dict[str, Any]] = {
    "entity_type": "customer",
    "entity_id": "acme-corp",
    "tags": {"feature": "chatbot", "env": "prod"},
}


def bare(url: str) -> Any:
    return openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)


def ours(url: str, **options: Any) -> Any:
    import infraprism  # noqa: PLC0415 - a host without us must not hold us in memory

    return infraprism.InfraPrismOpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0, **options)


def calls(url: str, count: int) -> dict[str, Any]:
    """Wall time and the calling thread's CPU time of each call, in nanoseconds, the bare client's
    and ours beside each other; and what the upload thread took meanwhile, in seconds."""
    clients = {"bare": (bare(url), {}), "ours": (ours(url), WHO)}
    wall: dict[str, list[int]] = {"bare": [], "ours": []}
    cpu: dict[str, list[int]] = {"bare": [], "ours": []}
    chance = random.Random(1)
    warm_up = min(WARM_UP, count)
    names = ["bare", "ours"]
    for turn in range(warm_up + count):
        if turn == warm_up:
            upload_began = _upload_seconds()
        chance.shuffle(names)
        for name in names:
            client, who = clients[name]
            began, cpu_began = time.perf_counter_ns(), time.thread_time_ns()
            client.chat.completions.create(**ASK, **who)
            cpu_took, took = time.thread_time_ns() - cpu_began, time.perf_counter_ns() - began
            if turn >= warm_up:
                wall[name].append(took)
                cpu[name].append(cpu_took)
    time.sleep(1.0)  # what is left is uploaded meanwhile
    return {
        "wall": wall,
        "cpu": cpu,
        "upload": _upload_seconds() - upload_began,
        "threads": threading.active_count() - 1,
    }


def _upload_seconds() -> float:
    """The CPU time of the upload thread until now."""
    [thread] = [one for one in threading.enumerate() if one.name == "infraprism"]
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def own(_url: str, count: int) -> dict[str, Any]:
    """The least microseconds that our own code takes of a call, in blocks of ten.

    The provider's method and its request do nothing here: what is left is the wrapper that takes
    the keywords off, the seam, the event and the queue. The least of many is what a busy machine
    says as well.
    """
    from infraprism.keywords import wrapped  # noqa: PLC0415
    from infraprism.seam import Seam  # noqa: PLC0415
    from infraprism.uploader import BATCH_EVENTS, Uploader  # noqa: PLC0415

    class Sink(Uploader):
        """One whose thread takes what there is, whenever there is enough for a batch."""

        def _attend(self) -> None:
            self._attends_over = BATCH_EVENTS - 1
            self.queue.arrived.clear()

    def create(_self: Any, *, model: str, messages: Any, extra_headers: Any = None) -> Any:
        return {"model": model, "messages": messages} if extra_headers is None else extra_headers

    client, answer = bare("http://127.0.0.1:9"), ChatCompletion.model_validate_json(CHAT)
    seam, method = Seam(Sink("http://127.0.0.1:9", "k"), "openai"), wrapped(create)
    options = FinalRequestOptions.construct(method="post", url="/chat/completions")
    carried = method(None, **ASK, **WHO)

    def through(_client: Any, _cast_to: Any, options: Any, **_options: Any) -> Any:
        return options and answer

    def measured() -> None:
        options.__dict__["json_data"] = {**carried}
        seam.request(client, through, ChatCompletion, options, stream=False, stream_cls=None)

    def unmeasured() -> None:
        options.__dict__["json_data"] = {**carried}
        through(client, ChatCompletion, options, stream=False, stream_cls=None)

    def least(call: Callable[[], object]) -> float:
        return min(timeit.repeat(call, number=10, repeat=count)) / 10 * 1e6

    wrapping = least(lambda: method(None, **ASK, **WHO)) - least(lambda: create(None, **ASK))
    return {"us": wrapping + least(measured) - least(unmeasured)}


def memory(url: str, count: int, *, with_ours: bool) -> dict[str, Any]:
    """Resident memory after so many calls, in bytes."""
    client, who = (ours(url), WHO) if with_ours else (bare(url), {})
    for _ in range(count):
        client.chat.completions.create(**ASK, **who)
    time.sleep(1.0)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return {"rss": int(line.split()[1]) * 1024, "threads": threading.active_count() - 1}


def exits(url: str, count: int, *, with_ours: bool) -> dict[str, Any]:
    """The instant at which there is nothing left to do but to end."""
    client, who = (ours(url), WHO) if with_ours else (bare(url), {})
    for _ in range(count):
        client.chat.completions.create(**ASK, **who)
    return {"done_at": time.monotonic()}


def main(kind: str, url: str, count: int) -> None:
    found = {
        "calls": calls,
        "own": own,
        "memory": lambda *given: memory(*given, with_ours=True),
        "memory-bare": lambda *given: memory(*given, with_ours=False),
        "exit": lambda *given: exits(*given, with_ours=True),
        "exit-bare": lambda *given: exits(*given, with_ours=False),
    }[kind](url, count)
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
