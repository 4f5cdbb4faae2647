"""The pages say what the code says: every setting, every route, every error."""

import ast
import re
import sys

import pytest

from app import errors
from app.api.errors import _CODES
from app.config import ServeArgs
from app.key_settings import KeySettings
from tests.support.documents import DOCS, ROOT
from tests.support.routes import routes

sys.path.insert(0, str(DOCS))
import generate
import route_tables

API = (DOCS / "api.md").read_text()
REALTIME = (DOCS / "realtime.md").read_text()


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_the_generated_parts_are_current(page):
    assert generate.rewritten(page.read_text()) == page.read_text(), "run python docs/generate.py"


def test_a_stale_page_is_seen():
    stale = "<!-- generated: settings -->\n\nold\n\n<!-- end -->"
    assert generate.rewritten(stale) != stale


def sections(model):
    yield model
    for field in model.model_fields.values():
        if (inner := generate.section_of(field)) is not None:
            yield from sections(inner)


@pytest.mark.parametrize("top", [ServeArgs, KeySettings])
def test_every_setting_has_a_meaning_and_every_number_a_unit(top):
    for section in sections(top):
        for setting in generate.settings_of(section):
            assert setting.meaning, f"{section.__name__}.{setting.name} has no description"
            field = section.model_fields[setting.name]
            if {int, float} & set(generate.kinds_of(field.annotation)):
                assert setting.unit, setting.name


def test_every_environment_variable_is_documented():
    source = (ROOT / "app" / "config.py").read_text()
    read = set(re.findall(r"""environ\.get\(\s*["'](\w+)["']""", source))
    assert read
    told = (DOCS / "configuration.md").read_text()
    assert {name for name in read if f"`{name}`" not in told} == set()


def test_every_route_is_on_the_page_with_its_description():
    for method, path in routes():
        heading = f"#### `{method} {path.replace(':path', '')}`"
        assert heading in API
    document = route_tables.document()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} has no docstring"


def raised_codes():
    """Every `code="…"` in the program, and every error's own."""
    for root in ("app", "deployments"):
        for path in (ROOT / root).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.keyword(arg="code", value=ast.Constant(value=str(code))):
                        yield code
    for kind in vars(errors).values():
        is_error = isinstance(kind, type) and issubclass(kind, errors.ServeError)
        if is_error and not issubclass(kind, errors.ConfigError):
            yield kind.code
    yield from _CODES.values()


def test_every_code_of_an_error_is_on_the_page():
    codes = set(raised_codes())
    assert {"voice_not_found", "overloaded", "too_many_contexts"} <= codes
    table = API[API.index("## Errors") : API.index("## Health")]
    table += REALTIME[REALTIME.index("## Errors") :]
    assert {code for code in codes if f"`{code}`" not in table} == set()
