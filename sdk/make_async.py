"""Makes the awaited twins of the API client: `python -m sdk.make_async`.

The synchronous modules are the source; a test fails when a twin is not what this makes of them.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

API = Path(__file__).parent / "src" / "infraprism" / "api"
MODULES = ("client", "resources", "watch_resources", "exports")

_WORDS = {
    "Client": "AsyncClient",
    "Iterator": "AsyncIterator",
    **{
        name: f"Async{name}"
        for name in (
            *("Events", "Entities", "ApiKeys", "Prices"),
            *("Exports", "Export", "Webhooks", "Limits", "Anomalies", "Sdk"),
        )
    },
    **{f"infraprism.api.{name}": f"infraprism.api.async_{name}" for name in MODULES},
    "__enter__": "__aenter__",
    "__exit__": "__aexit__",
}
_AWAITED = (
    *("self.send(", "self.close()", "self.refresh()", "self.wait()", "self.get_repricing("),
    *("self._http.request(", "self._client.send(", "self._client.fetch("),
)
_LINES = {
    "import time\n": "import asyncio\n",
    "time.sleep(": "await asyncio.sleep(",
    "self._http.close()": "await self._http.aclose()",
    "with self._http.stream(": "async with self._http.stream(",
    "for chunk in response.iter_bytes(": "async for chunk in response.aiter_bytes(",
    "  # noqa: UP028 - the awaited twin has no `yield from`": "",
    "file.write(chunk)": "await asyncio.to_thread(file.write, chunk)",
    "with Client() as client: client.me()": "async with Client() as client: await client.me()",
    "The client of the REST API.": "The client of the REST API, awaited.",
}
_MADE = re.compile(r'^"""(.*?)"""\n', re.DOTALL)


def made_of(source: str) -> str:
    """The twin of a module, not yet formatted."""
    for text, replacement in _LINES.items():
        source = source.replace(text, replacement)
    for call in _AWAITED:
        source = source.replace(call, f"await {call}")
    words = sorted(_WORDS, key=len, reverse=True)
    pattern = rf"(?<![\w.`])({'|'.join(map(re.escape, words))})(?![\w.])|httpx2\.Client"
    source = re.sub(pattern, lambda found: _WORDS.get(found[0], "httpx2.AsyncClient"), source)
    source = _MADE.sub('"""Made by `python -m sdk.make_async`: the awaited twin."""\n', source, 1)
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and _waits(node):
            line = lines[node.lineno - 1]
            lines[node.lineno - 1] = line.replace("def ", "async def ", 1)
    return "".join(lines)


def twin_of(name: str) -> str:
    """The text of `async_<name>.py`."""
    text = made_of((API / f"{name}.py").read_text(encoding="utf-8"))
    ruff = Path(sys.executable).with_name("ruff")
    for words in (["check", "--select", "I", "--fix", "--quiet"], ["format", "--quiet"]):
        done = subprocess.run(
            [ruff, *words, "--stdin-filename", str(API / f"async_{name}.py"), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    return text


def _waits(node: ast.FunctionDef) -> bool:
    if node.name in {"__enter__", "__aenter__", "__aexit__"}:
        return True
    return any(
        isinstance(inner, ast.Await | ast.AsyncWith | ast.AsyncFor) for inner in ast.walk(node)
    )


def main() -> None:
    for name in MODULES:
        (API / f"async_{name}.py").write_text(twin_of(name), encoding="utf-8")


if __name__ == "__main__":
    main()
