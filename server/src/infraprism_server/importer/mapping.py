"""Which column of a file is which field of an event; and, when that is wrong, what to type instead.

A mapping is what the user said; a plan is a mapping that fits one file's columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from typing import Final

import msgspec

from infraprism_server.errors import InfraPrismError
from infraprism_server.importer import hint
from infraprism_server.importer.values import EVENT_FIELDS, CellError

TAG: Final = "tags."
REQUIRED: Final = ("timestamp", "provider", "model")


class MappingError(InfraPrismError):
    """The mapping is wrong or does not fit the file; the message says what to type."""


@dataclass(frozen=True)
class Columns:
    """What a source says of its columns before the first row is sent."""

    names: tuple[str, ...]
    may_have_more: bool
    """JSON lines: a name not seen yet may still come."""


@dataclass(frozen=True)
class Mapping:
    """What the user asked for, by options, a mapping file or a preset."""

    columns: Map[str, str] = field(default_factory=dict)
    """Event field (or tags.KEY) to column; an empty column leaves the field out."""
    constants: Map[str, str] = field(default_factory=dict)
    assumed_model: tuple[str, str] | None = None
    """Provider and model of the rows that name none."""
    timezone: str | None = None
    """The zone of timestamps that have none."""

    def over(self, base: Mapping) -> Mapping:
        """This mapping where it says something, the other where it does not."""
        columns = {k: v for k, v in base.columns.items() if k not in self.constants}
        constants = {k: v for k, v in base.constants.items() if k not in self.columns}
        return Mapping(
            columns={**columns, **self.columns},
            constants={**constants, **self.constants},
            assumed_model=self.assumed_model or base.assumed_model,
            timezone=self.timezone or base.timezone,
        )


@dataclass(frozen=True)
class Plan:
    """A mapping resolved against one file."""

    columns: Map[str, str]
    tag_columns: Map[str, str]
    constants: Map[str, object]
    """Values ready to be sent, tags left out."""
    tag_constants: Map[str, str]
    assumed_model: tuple[str, str] | None


PRESETS: Final[dict[str, Mapping]] = {
    "azure-trace": Mapping(
        columns={
            "timestamp": "TIMESTAMP",
            "input_tokens": "ContextTokens",
            "output_tokens": "GeneratedTokens",
        },
        timezone="UTC",
    ),
}
"""Mappings of known files: the Azure LLM inference traces."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """A mapping file, as JSON."""

    map: dict[str, str] = {}
    set: dict[str, str | int | float | bool] = {}
    assume_model: str | None = None
    timezone: str | None = None


def from_options(
    pairs: Iterable[str], constants: Iterable[str], assume_model: str | None, timezone: str | None
) -> Mapping:
    """The mapping that --map, --set, --assume-model and --timezone say."""
    mapping = Mapping(
        columns=_pairs("--map", "column", pairs),
        constants=_pairs("--set", "value", constants),
        assumed_model=None if assume_model is None else _provider_and_model(assume_model),
        timezone=timezone,
    )
    return _checked(mapping)


def from_file(content: bytes) -> Mapping:
    """The mapping in a file: {"map": {…}, "set": {…}, "assume_model": "…", "timezone": "…"}."""
    try:
        read = msgspec.json.decode(content, type=_File)
    except msgspec.DecodeError as error:
        raise MappingError(
            f"The mapping file is not as expected ({error}). It is JSON such as "
            '{"map": {"timestamp": "time"}, "set": {"entity_type": "customer"}, '
            '"assume_model": "openai/gpt-4o", "timezone": "UTC"}'
        ) from None
    constants = {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in read.set.items()
    }
    assumed = None if read.assume_model is None else _provider_and_model(read.assume_model)
    return _checked(Mapping(read.map, constants, assumed, read.timezone))


def resolve(mapping: Mapping, columns: Columns) -> Plan:
    """The plan for a file with these columns. MappingError when something needed is not there."""
    chosen = {name: column for name, column in mapping.columns.items() if column}
    unknown = {
        name: column
        for name, column in chosen.items()
        if column not in columns.names and (not columns.may_have_more or name in REQUIRED)
    }
    if unknown:
        raise MappingError(hint.unknown_columns(unknown, columns.names))
    for name in columns.names:
        if name in EVENT_FIELDS or name.startswith(TAG):
            chosen.setdefault(name, name)
    if columns.may_have_more:
        chosen = {**{name: name for name in EVENT_FIELDS}, **chosen}
    for name in (*mapping.constants, *(k for k, v in mapping.columns.items() if not v)):
        chosen.pop(name, None)

    given = {name for name, column in chosen.items() if column in columns.names}
    given |= set(mapping.constants)
    if mapping.assumed_model is not None:
        given |= {"provider", "model"}
    missing = [name for name in REQUIRED if name not in given]
    if missing:
        raise MappingError(hint.missing_fields(missing, columns.names, given))
    return Plan(
        columns={k: v for k, v in chosen.items() if not k.startswith(TAG)},
        tag_columns={k[len(TAG) :]: v for k, v in chosen.items() if k.startswith(TAG)},
        constants=_constant_values(mapping.constants),
        tag_constants={k[len(TAG) :]: v for k, v in mapping.constants.items() if k.startswith(TAG)},
        assumed_model=mapping.assumed_model,
    )


def _pairs(option: str, right: str, pairs: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise MappingError(f"{option} {pair}: write it as {option} field={right}")
        if name in found:
            raise MappingError(f"{option} {name} is given twice")
        found[name] = value
    return found


def _checked(mapping: Mapping) -> Mapping:
    """The mapping itself, when all its fields exist and none is given in two ways."""
    for name in (*mapping.columns, *mapping.constants):
        if name not in EVENT_FIELDS and not (name.startswith(TAG) and len(name) > len(TAG)):
            raise MappingError(hint.unknown_field(name))
    both = sorted(set(mapping.columns) & set(mapping.constants))
    if both:
        raise MappingError(f"{both[0]} is given as a column and as a constant: drop one")
    for name in ("id", "timestamp", "tags"):
        if name in mapping.constants:
            raise MappingError(
                "A tag is set as --set tags.KEY=value"
                if name == "tags"
                else f"{name} can not be the same for every line: map a column to it"
            )
    _constant_values(mapping.constants)
    return mapping


def _constant_values(constants: Map[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, written in constants.items():
        if name.startswith(TAG):
            continue
        try:
            value = EVENT_FIELDS[name](written)
        except CellError as error:
            raise MappingError(f"--set {name}={written}: {error}") from None
        if value is not None:
            values[name] = value
    return values


def _provider_and_model(written: str) -> tuple[str, str]:
    provider, slash, model = written.partition("/")
    if not (provider and slash and model):
        raise MappingError(
            f"--assume-model {written}: write it as provider/model, such as openai/gpt-4o"
        )
    return provider, model
