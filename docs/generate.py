"""Writes the generated parts of docs/: every setting, every route, and the table of a formula.

    python docs/generate.py            # writes them
    python docs/generate.py --check    # exits with 1 where a page is not what would be written

A page holds a part between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of the page is
written by hand. The settings come from the descriptions in app/config.py and app/key_settings.py,
the routes from the OpenAPI document, the table from benchmarks/recurrence.py. Knows nothing about
models or Ray.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from anywhere

import route_tables
from tables import table_of

from app.config import ServeArgs
from app.key_settings import KeySettings
from benchmarks import recurrence as formula

DOCS = Path(__file__).parent
_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(\n<!-- end -->)", re.DOTALL)

# The first pattern that the name of a number matches tells its unit.
_UNITS = (
    (r"per_day$", "seconds"),
    (r"bytes_per_s$", "bytes per second"),
    (r"per_s$", "per second"),
    (r"_s$", "seconds"),
    (r"_gib$", "GiB"),
    (r"_bytes(_per_key)?$", "bytes"),
    (r"_chars$", "characters"),
    (r"num_frames$", "number"),
    (r"frames$", "mel frames"),
    (r"_gpus$", "GPUs"),
    (r"_cpus$", "CPUs"),
    (r"(growth|share)$", "factor"),
    (r"(tokens|token|cell|group|cycle)$", "tokens"),
    (r"", "number"),
)


class Setting(NamedTuple):
    name: str
    unit: str
    default: str
    values: str  # that are allowed
    meaning: str


# Settings


def settings() -> str:
    return "\n\n".join(
        [
            f"### `args:`\n\n{_settings_table(ServeArgs)}",
            *_sections(ServeArgs, ""),
            "### A key of the keys file\n\n"
            f"{_settings_table(KeySettings)}\n\n" + "\n\n".join(_sections(KeySettings, "")),
        ]
    )


def settings_of(model: type[BaseModel]) -> list[Setting]:
    """The settings of one section, without those of the sections in it."""
    return [
        Setting(name, _unit(name, field), _default(field), _values(field), field.description or "")
        for name, field in model.model_fields.items()
        if section_of(field) is None
    ]


def _sections(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if (section := section_of(field)) is not None:
            path = f"{prefix}{name}"
            intro = " ".join(filter(None, (section.__dict__.get("__doc__"), _told(field))))
            yield "\n\n".join(filter(None, (f"### `{path}:`", intro, _settings_table(section))))
            yield from _sections(section, f"{path}.")


def _told(field: FieldInfo) -> str:
    """Of a section that may be null."""
    told = field.description or ""
    return f"{told[:1].upper()}{told[1:]}." if field.default is None else ""


def _settings_table(model: type[BaseModel]) -> str:
    rows = [
        (f"`{setting.name}`", setting.unit, setting.default, setting.values, setting.meaning)
        for setting in settings_of(model)
    ]
    return table_of(("setting", "unit", "default", "allowed", "meaning"), rows)


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Also of a section that may be null."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _unit(name: str, field: FieldInfo) -> str:
    if not {int, float} & set(kinds_of(field.annotation)):
        return ""
    return next(unit for pattern, unit in _UNITS if re.search(pattern, name))


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


def _values(field: FieldInfo) -> str:
    told = [_bounds(field) or _kind(field.annotation)]
    if _is_optional(field.annotation):
        told.append("null")
    return ", or ".join(filter(None, told))


def _bounds(field: FieldInfo) -> str:
    told = []
    for name, words in (
        ("ge", "{} or more"),
        ("gt", "more than {}"),
        ("le", "at most {}"),
        ("pattern", "matches `{}`"),
    ):
        bounds = [getattr(rule, name, None) for rule in field.metadata]
        told += [words.format(bound) for bound in bounds if bound is not None]
    return ", ".join(told)


def _kind(annotation: Any) -> str:
    choices = _choices(annotation)
    if choices:
        lists = ["a list"] if tuple in map(get_origin, get_args(annotation)) else []
        return ", ".join([f"`{choice}`" for choice in choices] + lists)
    if annotation is bool:
        return "`true`, `false`"
    if str in kinds_of(annotation):
        return "text"
    if get_origin(annotation) is dict:
        return "a mapping"
    return "a list" if tuple in map(get_origin, kinds_of(annotation)) else "any"


def kinds_of(annotation: Any) -> tuple[Any, ...]:
    """The kind of a setting; of one that may be null, that too."""
    return get_args(annotation) if _is_optional(annotation) else (annotation,)


def _choices(annotation: Any) -> Sequence[str]:
    for kind in (annotation, *get_args(annotation)):
        if get_origin(kind) is Literal:
            return get_args(kind)
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return [member.value for member in kind]
    return ()


def _is_optional(annotation: Any) -> bool:
    origin = get_origin(annotation)
    is_union = origin is Union or origin is type(int | None)
    return is_union and type(None) in get_args(annotation)


# Formulas


def recurrence() -> str:
    """What benchmarks/recurrence.py prints."""
    rows = [formula.row_of(stream) for stream in formula.examples()]
    head = ("pipeline", "first sound", "gaps before the next cells", *_PREBUFFERS)
    return table_of(head, [[str(cell) for cell in _flat(row)] for row in rows])


_PREBUFFERS = tuple(f"prebuffer, {number} cells" for number in formula.LENGTHS)


def _flat(row: formula.Row) -> tuple[object, ...]:
    gaps = ", ".join(map(str, row["gaps_s"]))
    return (row["name"], row["first_sound_s"], gaps, *row["prebuffer_s"].values())


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "routes": route_tables.routes,
    "recurrence": recurrence,
}


def rewritten(page: str) -> str:
    """The page with its generated parts as they must be now."""
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n{part[3]}", page)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    is_check = parser.parse_args().check
    stale = []
    for path in sorted(DOCS.glob("*.md")):
        page = path.read_text()
        if (new := rewritten(page)) != page:
            stale.append(path.name)
            if not is_check:
                path.write_text(new)
    if is_check and stale:
        sys.stderr.write(f"{', '.join(stale)}: run python docs/generate.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
