"""The house's rules: which files a feature has, where SQL may be, who may import whom."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import infraprism_server

HOUSE = Path(infraprism_server.__file__).parent
SHARED = {"http", "event_store", "control_store", "background"}
FEATURES = sorted(
    folder.name
    for folder in HOUSE.iterdir()
    if (folder / "__init__.py").exists() and folder.name not in SHARED
)
ROOTS = {"app", "application", "stand_in", "serve", "bootstrap", "cli", "cli_context", "doctor"}
"""Modules at the top that put features together; nothing else at the top imports a feature."""
LAYERS = {
    "routes": 4,
    "tasks": 4,
    "cli": 4,
    "command": 4,
    "service": 3,
    "account_prices": 3,  # the services' memories of what the store says
    "last_used": 3,
    "frame": 4,  # what the dashboard's pages stand in
    "dispatch": 3,  # the service of those who deliver, and what they count
    "measures": 3,
    "unpriced_alerts": 3,
    "deliveries": 2,  # the webhooks' second store, and what is made of its rows
    "message": 2,
    "watch": 3,  # services that judge; they share these with those that answer
    "answers": 2,
    "reasons": 2,
    "reading": 2,
    "picture": 2,
    "store": 2,
}
"""Height of a layer; every other file of a feature is a noun, at 1."""
MAX_LINES = 400


_STATEMENT = re.compile(
    r"^\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)", re.S
)


def modules() -> Iterator[Path]:
    yield from sorted(HOUSE.rglob("*.py"))


def imports_of(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def inside(name: str) -> list[str]:
    """The parts of an import below the package, or nothing for other packages."""
    parts = name.split(".")
    return parts[1:] if parts[0] == "infraprism_server" else []


def height(module: str) -> int:
    return LAYERS.get(module, 1)


def test_there_are_features() -> None:
    assert {"accounts", "api_keys", "events", "entities", "usage", "pricing"} <= set(FEATURES)


def test_every_module_keeps_the_rules() -> None:
    """All of them in one test: to read a tree for each rule takes longer than to judge them."""
    wrong = []
    for path in modules():
        place = path.relative_to(HOUSE)
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        found = [*wrong_imports(place, tree), *raw_sql(place, tree), *hard_to_read(text, tree)]
        wrong += [f"{place}: {each}" for each in found]
    assert wrong == []


def wrong_imports(path: Path, tree: ast.Module) -> Iterator[str]:
    """routes | tasks -> service -> (noun, store); a feature calls another's service or nouns."""
    place = path.with_suffix("").parts
    for name in imports_of(tree):
        target = inside(name)
        if not target or target[0] == place[0]:
            inner = len(target) > 1 and len(place) == 2 and place[0] in FEATURES
            if inner and height(target[1]) > height(place[1]):
                yield f"{name}: a lower layer imports a higher one"
            continue
        if target[0] in FEATURES:
            if place[0] in SHARED and place[0] != "background":
                yield f"{name}: what all share imports no feature"
            elif len(place) == 1 and place[0] not in ROOTS | {"welcome"}:
                yield f"{name}: only the roots put features together"
            elif len(target) > 1 and target[1] in ("store", "routes", "tasks") and len(place) > 1:
                yield f"{name}: call the other feature's service"
        of_the_engine = target[:2] == ["event_store", "duckdb"]
        if of_the_engine and place[:2] != ("event_store", "duckdb") and place[0] not in ROOTS:
            yield f"{name}: only the composition root knows an engine"


def raw_sql(path: Path, tree: ast.Module) -> Iterator[str]:
    """It lives in one room."""
    if path.parts[:2] == ("event_store", "duckdb") or path.parts[0] == "control_store":
        return
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and _STATEMENT.match(node.value)
        ):
            yield f"raw SQL: {node.value}"


def hard_to_read(text: str, tree: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(tree):
        yield "a module starts with a sentence about itself"
    if text.count("\n") > MAX_LINES:
        yield "does it hold more than one thing?"


def test_the_rules_find_what_is_against_them() -> None:
    upwards = ast.parse("from infraprism_server.usage.service import UsageService")
    assert [*wrong_imports(Path("usage/schemas.py"), upwards)]
    assert not [*wrong_imports(Path("usage/routes.py"), upwards)]
    engine = ast.parse("from infraprism_server.event_store.duckdb.store import open_event_store")
    assert [*wrong_imports(Path("usage/service.py"), engine)]
    assert not [*wrong_imports(Path("serve.py"), engine)]
    statement = ast.parse('x = "SELECT 1 FROM events"')
    assert [*raw_sql(Path("usage/service.py"), statement)]
    assert not [*raw_sql(Path("event_store/duckdb/usage.py"), statement)]
    assert [*hard_to_read("x = 1", ast.parse("x = 1"))]
    assert [*hard_to_read("\n" * 500, ast.parse('"""Says what it is."""'))]


def test_money_never_meets_a_float() -> None:
    """No call of float() and no float literal beside money, anywhere in the server's rules."""
    rooms = ["money.py", "pricing", "entities/margin.py", "events/intake.py", "usage", "limits"]
    offenders = []
    for room in rooms:
        target = HOUSE / room
        for path in [target] if target.is_file() else sorted(target.glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                calls_float = (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Name)
                    and node.func.id == "float"
                )
                if calls_float:
                    offenders.append(f"{path.name}:{node.lineno}")
    assert offenders == []


def test_no_name_says_nothing() -> None:
    banned = {"utils", "util", "common", "helpers", "helper", "manager", "base", "misc"}
    assert [path.name for path in modules() if path.stem in banned] == []


def test_nothing_listens_for_litellm() -> None:
    """litellm had malicious releases: never a dependency."""
    lock = (HOUSE.parents[2] / "requirements.lock").read_text(encoding="utf-8")
    assert re.search(r"^litellm\b", lock, re.M) is None
    assert re.search(r"https?://", lock) is None, "the lock holds no addresses"
