"""What the process that commands are forked from has imported; see forked.py.

Beside the server: what it and its libraries import when they are first used, and the functions of
processes that end themselves.
"""

from __future__ import annotations

import gc
from importlib import import_module

for _name in (
    "infraprism_server.cli",
    "infraprism_server.serve",
    "genai_prices.data",
    "alembic.command",
    "mako.template",
    "anyio._backends._asyncio",
    "litestar._kwargs.kwargs_model",
    "litestar.exceptions.responses",
    "litestar.middleware._internal.exceptions.middleware",
    "litestar.plugins.attrs",
    "litestar.plugins.pydantic",
    "pygments.formatters.html",
    "pygments.lexers.html",
    "pygments.lexers.python",
    "sqlalchemy.dialects.sqlite",
    "contract_tests.event_store.compaction_points",
    "contract_tests.event_store.kill_points",
):
    import_module(_name)
gc.collect()
gc.freeze()  # so that a child copies no page only to look for cycles in it
