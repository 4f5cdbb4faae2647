"""Writes the generated parts of docs/: every setting, every route, every error.

    python docs/generate.py            # writes them
    python docs/generate.py --check    # exits with 1 where a page is not what would be written

A page holds a part between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of the page is
written by hand. The settings come from the descriptions in app/config.py, the routes from the
OpenAPI document, the errors from app/errors.py. Knows nothing about models or Ray.
"""

import argparse
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin
from unittest.mock import create_autospec

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))  # run as a script from anywhere

from app import errors
from app.config import KeySettings, Limits, ServeArgs
from app.core import Synthesizer

_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(\n<!-- end -->)", re.DOTALL)

# The first pattern that the name of a number matches tells its unit.
_UNITS = (
    (r"per_day$", "seconds"),
    (r"_s$", "seconds"),
    (r"_gib$", "GiB"),
    (r"_bytes$", "bytes"),
    (r"_chars$", "characters"),
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
        if _section(field) is None
    ]


def _sections(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if (section := _section(field)) is not None:
            path = f"{prefix}{name}"
            yield f"### `{path}:`\n\n{field.description}\n\n{_settings_table(section)}"
            yield from _sections(section, f"{path}.")


def _settings_table(model: type[BaseModel]) -> str:
    rows = [
        (f"`{setting.name}`", setting.unit, setting.default, setting.values, setting.meaning)
        for setting in settings_of(model)
    ]
    return _table(("setting", "unit", "default", "allowed", "meaning"), rows)


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _unit(name: str, field: FieldInfo) -> str:
    kinds = get_args(field.annotation) or (field.annotation,)
    if not {int, float} & set(kinds):
        return ""
    return next(unit for pattern, unit in _UNITS if re.search(pattern, name))


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if value is None:
        return "null"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{value}`"


def _values(field: FieldInfo) -> str:
    told = [_bounds(field), _kind(field.annotation)]
    if _is_optional(field.annotation):
        told.append("null")
    return ", or ".join(filter(None, told))


def _bounds(field: FieldInfo) -> str:
    least = most = ""
    for rule in field.metadata:
        match rule:
            case annotated_types.Ge(ge=bound):
                least = f"{bound} or more"
            case annotated_types.Gt(gt=bound):
                least = f"more than {bound}"
            case annotated_types.Le(le=bound):
                most = f"at most {bound}"
            case _ if getattr(rule, "pattern", None):
                least = f"matches `{rule.pattern}`"
    return ", ".join(filter(None, (least, most)))


def _kind(annotation: Any) -> str:
    choices = _choices(annotation)
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    names = {str: "", int: "", float: ""}
    if annotation in names or _is_optional(annotation):
        return ""
    if get_origin(annotation) is dict:
        return "a mapping"
    return "a list" if get_origin(annotation) is tuple else ""


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


# Routes


def document() -> dict[str, Any]:
    """The OpenAPI document, with the versions of libraries left out."""
    from app.api.app import create_app  # FastAPI takes a second

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return create_app(create_autospec(Synthesizer, instance=True), Limits()).openapi()


_GROUPS = (
    ("Speech", ("/v1/audio/speech", "/cancel", "/v1/sessions")),
    ("Voices", ("/v1/audio/voices",)),
    ("Models and health", ("/v1/models", "/health", "/openapi.json", "/")),
    ("Routes of a desktop app", ("/api/", "/v1/admin")),
)


def routes() -> str:
    told = document()
    paths: dict[str, Any] = told["paths"]
    grouped: dict[str, list[str]] = {title: [] for title, _ in _GROUPS}
    for path, methods in paths.items():
        for method, operation in methods.items():
            grouped[_group_of(path)].append(_route(method, path, operation))
    for path, description in told["x-websockets"].items():
        grouped[_group_of(path)].append(f"#### `WS {path}`\n\n{description}.")
    return "\n\n".join(
        f"### {title}\n\n" + "\n\n".join(parts) for title, parts in grouped.items() if parts
    )


def _group_of(path: str) -> str:
    fitting = [(len(start), title) for title, starts in _GROUPS for start in starts]
    fitting = [
        (len(start), title)
        for title, starts in _GROUPS
        for start in starts
        if path.startswith(start)
    ]
    return max(fitting)[1]


def _route(method: str, path: str, operation: Mapping[str, Any]) -> str:
    parts = [f"#### `{method.upper()} {path}`", operation.get("description", "")]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"Body: `{kind}`\n\n{_fields_table(content['schema'])}")
    answers = [
        (f"`{status}`", answer["description"], ", ".join(f"`{k}`" for k in answer.get("content", {})))
        for status, answer in operation["responses"].items()
        if status not in ("4XX", "5XX")
    ]
    parts.append(_table(("status", "answer", "content"), answers))
    return "\n\n".join(filter(None, parts))


def _fields_table(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = []
    for name, field in schema["properties"].items():
        described = _merged(field)
        rows.append(
            (
                f"`{name}`" + (" (required)" if name in required else ""),
                _type_of(described),
                _range_of(described),
                described.get("description", ""),
            )
        )
    return _table(("field", "type", "allowed", "meaning"), rows)


def _merged(field: Mapping[str, Any]) -> dict[str, Any]:
    """A field that may be null as the field that it is otherwise."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind.get("type") != "null"]
    if len(kinds) == 1:
        return {**kinds[0], **{k: v for k, v in field.items() if k != "anyOf"}}
    nested = [inner for kind in kinds for inner in kind.get("anyOf", (kind,))]
    return {**field, "anyOf": nested} if nested else dict(field)


def _type_of(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type_of(kind) for kind in field["anyOf"]))
    kind: str = field.get("type", "")
    if field.get("format") == "binary":
        return "file"
    return f"{kind} of {field['items']['type']}s" if kind == "array" else kind


def _range_of(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    names = (
        ("minimum", "{} or more"),
        ("exclusiveMinimum", "more than {}"),
        ("maximum", "at most {}"),
        ("exclusiveMaximum", "less than {}"),
        ("maxLength", "at most {} characters"),
        ("maxItems", "at most {}"),
    )
    return ", ".join(told.format(field[name]) for name, told in names if name in field)


# Errors


def error_kinds() -> str:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ServeError)
    ]
    rows = {
        (kind.status, kind.code): (str(kind.status), f"`{kind.code}`", f"`{kind.__name__}`")
        for kind in kinds
        if not issubclass(kind, errors.ConfigError)  # those stop the start, and reach no client
    }
    return _table(("status", "code", "class in app/errors.py"), [rows[key] for key in sorted(rows)])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "routes": routes,
    "errors": error_kinds,
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
