"""The request as code: each piece of code runs by itself, and asks for the same speech."""

import io
import os
import subprocess
import sys

import pytest
import soundfile

from tests.support.api_keys import key
from tests.support.browser import needs_chromium
from tests.support.fakes import FakeSynthesizer
from tests.support.web_page import web_page

pytestmark = [pytest.mark.long, needs_chromium]

SECRET = "red-key"
TEXT = 'It\'s "quoted", costs $5 & more: `ls` \\ 100 % 😀\nNext line.'


@pytest.fixture(scope="module")
def synthesizer():
    return FakeSynthesizer()


@pytest.fixture(scope="module")
def page(chromium, synthesizer):
    with web_page(chromium, synthesizer, keys=(key(SECRET, "red"),)) as page:
        page.fill("#panel-key input", SECRET)
        page.keyboard.press("Enter")
        page.wait_for_selector("#voice option", state="attached")
        page.fill("#text", TEXT)
        page.fill("#speed", "2")
        page.fill("#seed", "42")
        yield page


def code_of(page, language):
    page.get_by_label("Language").select_option(language)
    return page.locator("#panel-copy-as pre").inner_text()


def made_by(command, folder):
    """The WAV file that a command makes in the folder."""
    environment = {**os.environ, "CHATTERBOX_API_KEY": SECRET}
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=60)
    return soundfile.info(io.BytesIO((folder / "speech.wav").read_bytes()))


def asked(synthesizer):
    request = synthesizer.requests[-1]
    return request.speed, request.sampling.seed, "costs" in request.segments[0]


def test_the_code_follows_the_form_and_has_no_key(page):
    page.fill("#speed", "1.5")
    assert '"speed": 1.5' in code_of(page, "curl")
    page.fill("#speed", "2")
    for language in ("curl", "Python (OpenAI SDK)", "JavaScript", "Socket"):
        code = code_of(page, language)
        assert '"speed": 2' in code or "speed=2" in code
        assert SECRET not in code


def test_the_curl_command_makes_a_file(page, synthesizer, tmp_path):
    made = made_by(["bash", "-c", code_of(page, "curl").replace("curl ", "curl -sf ")], tmp_path)
    assert made.samplerate == 24_000
    assert asked(synthesizer) == (2.0, 42, True)


def test_the_python_code_makes_a_file_with_openais_sdk(page, synthesizer, tmp_path):
    code = code_of(page, "Python (OpenAI SDK)")
    made = made_by([sys.executable, "-c", code], tmp_path)
    assert made.samplerate == 24_000
    assert asked(synthesizer) == (2.0, 42, True)


def test_the_javascript_code_gets_a_sound(page, synthesizer):
    code = code_of(page, "JavaScript")
    wrapped = f"async (key) => {{ {code}\n return sound.size; }}"
    assert page.evaluate(wrapped, SECRET) > 44
    assert asked(synthesizer) == (2.0, 42, True)


def test_the_code_of_the_socket_gets_the_sound_and_its_end(page, synthesizer):
    code = code_of(page, "Socket")
    wrapped = f"async (key) => {{ {code}\n return [sound.length > 0, end]; }}"
    has_sound, end = page.evaluate(wrapped, SECRET)
    assert has_sound
    assert (end["type"], end["finish_reason"]) == ("done", "stop")
    assert asked(synthesizer) == (2.0, 42, False)  # the last take is the second line


def test_the_code_can_be_copied(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown = code_of(page, "curl")
    page.get_by_role("button", name="Copy").click()
    page.wait_for_selector("#panel-copy-as [role=status]:text('Copied.')")
    assert page.evaluate("navigator.clipboard.readText()").strip() == shown.strip()


def test_without_a_clipboard_the_code_is_selected(page):
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(Error('no')); }")
    shown = code_of(page, "curl")
    page.get_by_role("button", name="Copy").click()
    page.wait_for_selector("#panel-copy-as [role=status]:text('selected')")
    assert page.evaluate("String(getSelection())").strip() == shown.strip()
