"""Type stubs of the tracked clients: the providers' own signatures with our keywords added.

    python -m sdk.generate_stubs            # writes the stubs beside the clients' modules
    python -m sdk.generate_stubs --check    # exit 1 where they are not what it would write

Read from the source of the installed providers (the newest major), so that editors complete both
the provider's arguments and ours. Only what costs is written out: everything else is the
provider's own class.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import anthropic
import openai

HOME = Path(__file__).parent / "src" / "infraprism"
KEYWORDS = {
    "entity_type": "str | None",
    "entity_id": "str | None",
    "session_id": "str | None",
    "tags": "Mapping[str, Any] | None",
}
LIMITS = {
    "limits": "Limits",
    "on_limit": "OnLimit | None",
    "when_unreachable": "WhenUnreachable",
}
OPENAI = {
    "chat.completions": ("create", "parse", "stream"),
    "completions": ("create",),
    "responses": ("create", "parse", "stream", "retrieve"),
    "embeddings": ("create",),
    "images": ("generate", "edit", "create_variation"),
    "audio.speech": ("create",),
    "audio.transcriptions": ("create",),
    "audio.translations": ("create",),
    "files": ("content",),
}
ANTHROPIC = {
    "messages": ("create", "parse", "stream"),
    "messages.batches": ("results",),
    "beta.messages": ("create", "parse", "stream"),
    "beta.messages.batches": ("results",),
}


@dataclass
class Stub:
    """One stub module as it grows: imports by local name, then classes in order."""

    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    classes: list[str] = field(default_factory=list)

    def name(self, source: Source, name: str) -> str:
        """The local name here of what a module of the provider calls `name`."""
        target = source.target(name)
        if target is None:
            return name
        local = name
        while self.imports.get(local, target) != target:
            local = f"{local}_"
        self.imports[local] = target
        return local

    def text(self, head: str) -> str:
        lines = []
        for local, (module, original) in sorted(self.imports.items()):
            if original is None:
                lines.append(f"import {module} as {local}")
            else:
                lines.append(f"from {module} import {original} as {local}")
        return head + "\n".join(sorted(lines)) + "\n\n" + "\n".join(self.classes)


class Source:
    """A module of a provider: its syntax tree, and where its names come from."""

    def __init__(self, module: str) -> None:
        self.module = module
        path = inspect.getsourcefile(importlib.import_module(module))
        assert path is not None
        self.tree = ast.parse(Path(path).read_text())
        package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
        self._names: dict[str, tuple[str, str | None]] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                base = _absolute(package, node.level, node.module)
                for alias in node.names:
                    self._names.setdefault(alias.asname or alias.name, (base, alias.name))
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    self._names.setdefault(alias.asname or alias.name, (alias.name, None))
        for node in self.tree.body:
            for name in _defined(node):
                self._names[name] = (module, name)

    def target(self, name: str) -> tuple[str, str | None] | None:
        return self._names.get(name)

    def members(self, class_name: str, names: tuple[str, ...]) -> Iterator[ast.AST]:
        """The functions of a class by name, overloads first; the last of overloads left out."""
        [kind] = [
            node
            for node in self.tree.body
            if isinstance(node, ast.ClassDef) and node.name == class_name
        ]
        for name in names:
            found = [
                node
                for node in kind.body
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
            ]
            overloads = [node for node in found if any(map(_is_overload, node.decorator_list))]
            yield from overloads or found


source_of = cache(Source)


def _absolute(package: str, level: int, module: str | None) -> str:
    if not level:
        return module or ""
    parts = package.split(".")
    base = parts[: len(parts) - (level - 1)]
    return ".".join([*base, *([module] if module else [])])


def _defined(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _is_overload(decorator: ast.expr) -> bool:
    return ast.unparse(decorator).endswith("overload")


def signature(
    stub: Stub,
    source: Source,
    node: Any,  # noqa: ANN401 - a function, plain or async
    added: dict[str, str],
) -> str:
    """One function as stub text: its own parameters, then ours."""
    arguments = node.args
    parameters = [_parameter(stub, source, each, None) for each in arguments.posonlyargs]
    plain = arguments.args
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    for each, default in zip(plain, defaults, strict=True):
        parameters.append(_parameter(stub, source, each, default))
    parameters.append("*")
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(_parameter(stub, source, each, default))
    own = {each.arg for each in arguments.kwonlyargs}
    parameters += [f"{name}: {kind} = ..." for name, kind in added.items() if name not in own]
    if arguments.kwarg is not None:
        parameters.append(f"**{_parameter(stub, source, arguments.kwarg, None)}")
    answer = "" if node.returns is None else f" -> {_annotation(stub, source, node.returns)}"
    marks = "    @overload\n" if any(map(_is_overload, node.decorator_list)) else ""
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    inner = "".join(f"        {parameter},\n" for parameter in parameters)
    return f"{marks}    {kind} {node.name}(\n{inner}    ){answer}: ...\n"


def _parameter(stub: Stub, source: Source, node: ast.arg, default: ast.expr | None) -> str:
    kind = "" if node.annotation is None else f": {_annotation(stub, source, node.annotation)}"
    return f"{node.arg}{kind}{' = ...' if default is not None else ''}"


def _annotation(stub: Stub, source: Source, node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = ast.parse(node.value, mode="eval").body

    class Renamed(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.Name:
            return ast.Name(stub.name(source, name.id), name.ctx)

    return ast.unparse(Renamed().visit(ast.parse(ast.unparse(node), mode="eval").body))


def resource(
    stub: Stub,
    client: Any,  # noqa: ANN401
    path: str,
    tree: dict[str, tuple[str, ...]],
) -> str:
    """The class of the resource at a path, with those below it; its name in the stub."""
    found = client
    for name in path.split("."):
        found = getattr(found, name)
    kind = type(found)
    theirs = next(base for base in kind.__mro__ if base.__module__.startswith(("openai", "anthr")))
    source = source_of(theirs.__module__)
    parts = "".join(part.title() for part in path.split("."))
    mine = f"{'Async' if theirs.__name__.startswith('Async') else ''}Tracked{parts}"
    base = stub.name(source, theirs.__name__)
    below = sorted(
        {
            each.removeprefix(f"{path}.").split(".")[0]
            for each in tree
            if each.startswith(f"{path}.")
        }
    )
    lines = []
    for name in below:
        inner = resource(stub, client, f"{path}.{name}", tree)
        lines.append(f"    @cached_property\n    def {name}(self) -> {inner}: ...\n")
    for node in source.members(theirs.__name__, tree.get(path, ())):
        lines.append(signature(stub, source, node, KEYWORDS))
    stub.classes.append(f"class {mine}({base}):\n" + "".join(lines) + "\n")
    return mine


def client_class(
    stub: Stub,
    client: Any,  # noqa: ANN401
    tree: dict[str, tuple[str, ...]],
    names: dict[str, str],
) -> None:
    """The tracked clients over one family of resources: the client itself, and Azure's."""
    top = sorted({path.split(".")[0] for path in tree})
    made = {name: resource(stub, client, name, tree) for name in top}
    for theirs, docstring in names.items():
        module = importlib.import_module(type(client).__module__.split(".")[0])
        kind = getattr(module, theirs)
        source = source_of(kind.__init__.__module__)  # the class says its package alone
        prefix = "AsyncInfraPrism" if theirs.startswith("Async") else "InfraPrism"
        mine = prefix + theirs.removeprefix("Async")
        base = stub.name(source, theirs)
        lines = [f'    """{docstring}"""\n']
        for node in source.members(theirs, ("__init__",)):
            lines.append(signature(stub, source, node, LIMITS))
        for name, inner in made.items():
            lines.append(f"    @cached_property\n    def {name}(self) -> {inner}: ...\n")
        stub.classes.append(f"class {mine}({base}):\n" + "".join(lines) + "\n")


HEAD = """# Made by `python -m sdk.generate_stubs` from {package} {version}; not changed by hand.
# ruff: noqa
# mypy: disable-error-code="override,misc,overload-overlap,type-arg,attr-defined,unused-ignore"
from collections.abc import Mapping
from functools import cached_property
from typing import Any, overload

from infraprism.limits import Limits, OnLimit, WhenUnreachable
"""


def generated() -> dict[Path, str]:
    """The text of each stub, by path."""
    words = "every call takes entity_type, entity_id, session_id and tags as well."
    for_openai, for_anthropic = Stub(), Stub()
    client_class(
        for_openai,
        openai.OpenAI(api_key="x"),
        OPENAI,
        {"OpenAI": f"`openai.OpenAI`; {words}", "AzureOpenAI": f"`openai.AzureOpenAI`; {words}"},
    )
    client_class(
        for_openai,
        openai.AsyncOpenAI(api_key="x"),
        OPENAI,
        {
            "AsyncOpenAI": f"`openai.AsyncOpenAI`; {words}",
            "AsyncAzureOpenAI": f"`openai.AsyncAzureOpenAI`; {words}",
        },
    )
    client_class(
        for_anthropic,
        anthropic.Anthropic(api_key="x"),
        ANTHROPIC,
        {"Anthropic": f"`anthropic.Anthropic`; {words}"},
    )
    client_class(
        for_anthropic,
        anthropic.AsyncAnthropic(api_key="x"),
        ANTHROPIC,
        {"AsyncAnthropic": f"`anthropic.AsyncAnthropic`; {words}"},
    )
    own = {"Mapping", "cached_property", "Any", "overload"}
    texts = {}
    for name, module, stub in (
        ("openai", openai, for_openai),
        ("anthropic", anthropic, for_anthropic),
    ):
        stub.imports = {local: t for local, t in stub.imports.items() if local not in own}
        head = HEAD.format(package=name, version=module.__version__)
        texts[HOME / f"{name}_clients.pyi"] = stub.text(head)
    return texts


def main() -> int:
    stale = [
        path for path, text in generated().items() if not path.exists() or path.read_text() != text
    ]
    if "--check" in sys.argv:
        for path in stale:
            sys.stdout.write(f"{path.name} is not what `python -m sdk.generate_stubs` writes\n")
        return 1 if stale else 0
    for path, text in generated().items():
        path.write_text(text)
        sys.stdout.write(f"{path.name}: {text.count(chr(10))} lines\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
