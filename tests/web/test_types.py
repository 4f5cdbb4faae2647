"""The JSDoc types of the page and its client, checked by TypeScript."""

import subprocess

import pytest

from app.api.page import FOLDER
from tests.support.javascript import INSTALL_WITHIN_S, needs_npm

pytestmark = [pytest.mark.long, needs_npm]

TYPESCRIPT = "typescript@5.9.3"
CHECKED = ("client.js", "main.js")  # with what they import: all modules but the worklet
LANGUAGE = ("--target", "es2022", "--module", "es2022")
OPTIONS = ("--noEmit", "--allowJs", "--checkJs", "--strict", *LANGUAGE)
USE = """
import { SpeechClient, SpeechError } from "./client.js";
const client = new SpeechClient({ key: "k", transport: "auto" });
const speech = await client.speak({ voice: "ada", timestamps: "word" });
speech.append("Hello.");
const ack = await speech.cancel(1.5);
const text: string | undefined = ack.heard?.text;
const end = await speech.ended;
if (end.error instanceof SpeechError) end.error.code.toUpperCase();
"""
WRONG = {
    "a number is no voice": "await client.speak({ voice: 1 });",
    "an unknown transport": 'new SpeechClient({ transport: "pigeon" });',
    "an unknown method": "speech.shout();",
    "a text for a time": 'await speech.cancel("soon");',
}


@pytest.fixture(scope="module")
def tsc(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typescript")
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock")
    command = ["npm", "install", *options, TYPESCRIPT]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, timeout=INSTALL_WITHIN_S, check=False
    )
    if done.returncode:
        pytest.skip(f"npm cannot install {TYPESCRIPT}")
    for path in FOLDER.glob("*.js"):
        (folder / path.name).write_text(path.read_text())

    def check(*names):
        command = ["node", "node_modules/typescript/bin/tsc", *OPTIONS, *names]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
        )
        return done.stdout

    return folder, check


@pytest.mark.parametrize("name", CHECKED)
def test_the_types_of_a_module_hold(tsc, name):
    _, check = tsc
    assert check(name) == ""


def test_a_program_can_use_the_client_by_its_types(tsc):
    folder, check = tsc
    (folder / "use.ts").write_text(USE)
    assert check("use.ts") == ""


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_use_is_found(tsc, what):
    folder, check = tsc
    (folder / "wrong.ts").write_text(USE + WRONG[what])
    assert "wrong.ts" in check("wrong.ts")
