"""A provider and an InfraPrism server in bad states, for the SDK's figures: a process of its own.

Answers are bytes that lie ready: what is measured is the client. It prints its two addresses.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Final

STATES: Final = ("up", "down", "black hole", "10 s slow", "1 B/s", "resetting", "429", "500")
"""down: nobody listens; black hole: connections are accepted and never answered."""
SLOW_SECONDS: Final = 10.0

CHAT: Final = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": "gpt-4o",
        "service_tier": "default",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Hello there. " * 20},
            }
        ],
        "usage": {
            "prompt_tokens": 120,
            "completion_tokens": 30,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 100},
        },
    }
).encode()
_BATCH: Final = b'{"accepted":1,"duplicates":0,"rejected":[],"blocked":[]}'
_BLOCKED: Final = b'{"data":[],"complete":true,"as_of":"2026-01-01T00:00:00Z"}'
_ERROR: Final = b'{"error":{"code":"internal_error","message":"no","param":null}}'


def response(status: int, body: bytes) -> bytes:
    return (
        f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class Reader:
    """Requests of one connection, whole: head and as much body as it says."""

    def __init__(self, stream: asyncio.StreamReader) -> None:
        self._stream = stream

    async def path(self) -> str:
        """The path of the next request; IncompleteReadError when there is none."""
        head = await self._stream.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        for line in lines:
            if line.lower().startswith(b"content-length:"):
                await self._stream.readexactly(int(line.split(b":")[1]))
        return lines[0].split()[1].decode()


async def provide(stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The provider: the same answer to everything, at once."""
    reader, answer = Reader(stream), response(200, CHAT)
    try:
        while True:
            await reader.path()
            writer.write(answer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def infraprism(state: str) -> object:
    """What an InfraPrism server in a state does with a connection."""

    async def serve(stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reader = Reader(stream)
        try:
            while True:
                path = await reader.path()
                if state == "black hole":
                    await asyncio.sleep(3_600)
                if state == "resetting":
                    writer.transport.abort()
                    return
                if state == "10 s slow":
                    await asyncio.sleep(SLOW_SECONDS)
                body = _BLOCKED if "/limits/" in path else _BATCH
                if state in {"429", "500"}:
                    writer.write(response(int(state), _ERROR))
                elif state == "1 B/s":
                    for byte in response(200, body):
                        writer.write(bytes([byte]))
                        await asyncio.sleep(1)
                else:
                    writer.write(response(200, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return serve


async def main(state: str) -> None:
    """Both servers, until somebody kills this process."""
    provider = await asyncio.start_server(provide, "127.0.0.1", 0)
    server = await asyncio.start_server(infraprism(state), "127.0.0.1", 0)  # type: ignore[arg-type]
    ports = [one.sockets[0].getsockname()[1] for one in (provider, server)]
    if state == "down":
        server.close()
    print(*ports, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # who is reset by us is no news
    asyncio.run(main(sys.argv[1]))
