"""What the documents show can be typed: commands exist, configs are valid, Python runs."""

import json
import re
import shlex
import subprocess
import sys

import pytest
import yaml

from deployments.cli import app as command_line
from deployments.config_check import check_config
from tests.support.documents import PAGES, ROOT, fence, fences, prose
from tests.support.routes import routes

COMMANDS = {
    command.name or command.callback.__name__ for command in command_line.registered_commands
}
COMMANDS = {name.replace("_", "-") for name in COMMANDS}
TARGETS = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
MODULES = (
    "pytest",
    "tests.record_upstream_pins",
    "loadtests",
    "loadtests.chaos",
    "sphinx",
    "venv",
    "pip",
)
WITHOUT_RAY = "import sys; sys.modules['ray'] = None\n"


def shell_lines():
    """Every command line of a shell block, as (page, words)."""
    for each in fences("sh"):
        code = each.code.replace("\\\n", " ")
        for line in code.splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield each.page, words


def fault_of(words):
    """Why a command line cannot run here, or None."""
    program, *arguments = [word for word in words if not re.fullmatch(r"[A-Z_]+=\S*", word)]
    match program.removeprefix(".venv/bin/"), arguments:
        case "curl", _:  # test_every_route_that_curl_asks_exists
            fault = None
        case "make", targets:
            missing = [word for word in targets if word not in TARGETS]
            fault = f"no target {missing}" if missing else None
        case "python" | "python3", ["-m", module, *_]:
            fault = None if module in MODULES else f"no module {module}"
        case "chatterbox-serve", [command, *_] if command not in COMMANDS:
            fault = f"no command {command}"
        case "chatterbox-serve" | "python" | "locust" | "serve" | "ray", _:
            fault = files_missing(arguments)
        case _:
            fault = f"unknown program {program}"
    return fault


def files_missing(arguments):
    inputs = [word for word in arguments if re.search(r"\.(yaml|py)$", word)]
    outputs = arguments[arguments.index(">>") + 1 :] if ">>" in arguments else []
    gone = [word for word in inputs if word not in outputs and not (ROOT / word).exists()]
    return f"no file {gone}" if gone else None


def test_every_command_line_can_be_typed():
    lines = list(shell_lines())
    assert len(lines) > 10
    assert [(page, fault) for page, words in lines if (fault := fault_of(words))] == []


@pytest.mark.parametrize(
    "line",
    [
        "make nothing",
        ".venv/bin/chatterbox-serve sing",
        ".venv/bin/chatterbox-serve serve --config deploy/serve/nothing.yaml",
        "rm -rf /",
    ],
)
def test_a_command_line_that_cannot_run_is_found(line):
    assert fault_of(shlex.split(line)) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_within_sentences_exist(page):
    """`make demo`, `chatterbox-serve say …` and files such as `app/core.py`."""
    for code in re.findall(r"`([^`\n]+)`", prose(page.read_text())):
        if match := re.fullmatch(r"(?:\w+=\S+ )?make ([\w-]+)(?: .*)?", code):
            assert match[1] in TARGETS, code
        if match := re.match(r"(?:\.venv/bin/)?chatterbox-serve ([a-z][\w-]*)", code):
            assert match[1] in COMMANDS, code
        if re.fullmatch(r"(app|deployments|deploy|tests|benchmarks|loadtests|docs)/[\w/.-]+", code):
            assert (ROOT / code).exists(), code


@pytest.mark.parametrize("each", fences("python"), ids=str)
def test_python_snippets_compile(each):
    compile(each.code, each.page, "exec")


@pytest.mark.parametrize("each", fences("json"), ids=str)
def test_json_snippets_are_valid(each):
    json.loads(each.code)


@pytest.mark.parametrize("each", fences("yaml"), ids=str)
def test_yaml_snippets_pass_the_check_of_a_config(each, tmp_path):
    """A block that is named `config` is a whole file; any other is a part of one."""
    content = yaml.safe_load(each.code)
    if each.name != "config":
        content = yaml.safe_load((ROOT / "serve_config.yaml").read_text()) | content
    for application in content["applications"]:
        application["args"].pop("access", None)  # the snippet's keys file is not here
    path = tmp_path / "serve_config.yaml"
    path.write_text(yaml.safe_dump(content))
    check_config(path)


def test_every_route_that_curl_asks_exists():
    known = {re.sub(r"\{.*?\}", "[^/]+", path) for _, path in routes()}
    asked = re.findall(
        r"http://127\.0\.0\.1:8000(/[\w/.-]*)", "\n".join(e.code for e in fences("sh"))
    )
    assert asked
    for path in asked:
        assert any(re.fullmatch(pattern, path) for pattern in known), path


@pytest.mark.full
@pytest.mark.budget(120)
def test_the_library_speaks_from_several_threads_without_ray():
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_RAY + fence("library").code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    seconds = [float(found) for found in re.findall(r"([\d.]+) s", ended.stdout)]
    assert len(seconds) == 4
    assert all(0.3 < each < 10 for each in seconds)
