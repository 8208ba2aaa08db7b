"""The rest of a request's body, read and thrown away before an early refusal is sent.

A server that answers without reading what is still on its way must close the connection, and the
client, still writing, then finds a broken pipe instead of the answer that says why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from anyio import move_on_after

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

DISCARD_BYTES = 16 * 1024 * 1024
"""More than this is not read to be thrown away; neither is what takes longer than the seconds."""
DISCARD_SECONDS = 5.0


class RequestBody:
    """Hands messages on and knows whether the body has ended."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            self.ended = True
        return message

    async def discard(self) -> None:
        """Read to the end within bounds; `ended` says whether that was possible."""
        size = 0
        with move_on_after(DISCARD_SECONDS):
            while not self.ended and size <= DISCARD_BYTES:
                size += len((await self.receive()).get("body", b""))
