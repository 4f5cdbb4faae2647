"""Pages of another origin in a real Chromium: OpenAI's JavaScript SDK, as npm has it, and a
microphone's recording that becomes a voice."""

import pytest

from app.audio.formats import FORMATS
from app.config import ServeArgs
from app.engine.synthesizer import LocalSynthesizer
from app.voices.library import VoiceLibrary
from tests.support.api_clients import serving
from tests.support.api_keys import key
from tests.support.audio_samples import spoken_vowels
from tests.support.browser import browser_page, needs_chromium
from tests.support.fakes import FakeSynthesizer
from tests.support.hostile_uploads import encoded
from tests.support.javascript import install_openai_sdk, needs_npm, origin_of

pytestmark = [pytest.mark.long, needs_chromium]

SECRET = "red-key"
KEYS = (key(SECRET, "red", "red", ("speak", "voices")),)
RECORD_S = 8
PLAYED_BY_BROWSERS = ("mp3", "opus", "aac", "flac", "wav")

CLIENT = """
const OpenAI = (await import("/node_modules/openai/index.mjs")).default;
const client = new OpenAI({baseURL: url + "/v1", apiKey: secret, organization: "org",
    project: "project", maxRetries: 0, dangerouslyAllowBrowser: true});
"""
SPEAK = (
    "async ([url, secret, format]) => {"
    + CLIENT
    + """
    const answer = await client.audio.speech.create({model: "tts-1", voice: "alloy",
        input: "Hello there.", response_format: format});
    const type = answer.headers.get("content-type");
    const told = ["x-request-id", "x-sample-rate", "x-seed", "x-voice"].map(
        name => answer.headers.get(name));
    const sound = await new AudioContext().decodeAudioData(await answer.arrayBuffer());
    return {type, told, seconds: sound.duration, plays: new Audio().canPlayType(type)};
}"""
)
LIST = (
    "async ([url, secret]) => {"
    + CLIENT
    + """
    const models = [];
    for await (const model of client.models.list()) models.push(model.id);
    let error = null;
    try {
        await client.audio.speech.create({model: "tts-1", voice: "nobody", input: "Hello."});
    } catch (caught) { error = {status: caught.status, code: caught.code, text: caught.message,
        id: caught.requestID}; }
    return {models, error};
}"""
)
CLONE = """
async ([url, secret, seconds]) => {
    const plain = {echoCancellation: false, noiseSuppression: false, autoGainControl: false};
    const stream = await navigator.mediaDevices.getUserMedia({audio: plain});
    const recorder = new MediaRecorder(stream);
    const parts = [];
    recorder.ondataavailable = event => parts.push(event.data);
    const stopped = new Promise(resolve => recorder.onstop = resolve);
    recorder.start(1000);
    await new Promise(resolve => setTimeout(resolve, seconds * 1000));
    recorder.stop();
    await stopped;
    const form = new FormData();
    form.append("name", "Ann");
    form.append("consent", "I am Ann and I agree.");
    form.append("audio_sample", new Blob(parts, {type: recorder.mimeType}));
    const headers = {Authorization: "Bearer " + secret};
    const made = await fetch(url + "/v1/audio/voices", {method: "POST", headers, body: form});
    const voice = await made.json();
    const body = JSON.stringify({model: "tts-1", voice: voice.id, input: "Hello.",
        response_format: "opus", max_tokens: 50});
    const json = {...headers, "Content-Type": "application/json"};
    const spoken = await fetch(url + "/v1/audio/speech", {method: "POST", headers: json, body});
    const sound = await new AudioContext().decodeAudioData(await spoken.arrayBuffer());
    return {kind: recorder.mimeType, status: made.status, voice, seconds: sound.duration};
}
"""


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def sdk_folder(page_folder):
    install_openai_sdk(page_folder)
    return page_folder


@pytest.fixture
def sdk_page(sdk_folder):
    """A page of an origin that the server lists, and the server's URL."""
    with origin_of(sdk_folder) as origin, browser_page(640, 480) as page:
        page.goto(origin)
        with serving(FakeSynthesizer(), keys=KEYS, origins=(origin,)) as url:
            yield page, url


@needs_npm
@pytest.mark.parametrize("kind", PLAYED_BY_BROWSERS)
def test_openais_javascript_sdk_speaks_from_a_page_of_another_origin(sdk_page, kind):
    page, url = sdk_page
    heard = page.evaluate(SPEAK, [url, SECRET, kind])
    assert heard["type"] == FORMATS[kind].content_type
    assert heard["plays"] in ("maybe", "probably")
    assert all(heard["told"])
    assert heard["seconds"] > 0.1


@needs_npm
def test_openais_javascript_sdk_lists_models_and_is_told_what_is_wrong(sdk_page):
    page, url = sdk_page
    told = page.evaluate(LIST, [url, SECRET])
    assert told["models"] == ["english"]
    assert (told["error"]["status"], told["error"]["code"]) == (404, "voice_not_found")
    assert "anna" in told["error"]["text"]
    assert told["error"]["id"]


@needs_npm
def test_a_page_of_an_origin_that_is_not_listed_gets_nothing(sdk_folder):
    with (
        origin_of(sdk_folder) as origin,
        browser_page(640, 480) as page,
        serving(FakeSynthesizer(), keys=KEYS, origins=("https://app.example",)) as url,
    ):
        page.goto(origin)
        with pytest.raises(Exception, match="Connection error"):
            page.evaluate(SPEAK, [url, SECRET, "mp3"])


def test_what_a_page_records_of_a_microphone_becomes_a_voice_that_speaks(tmp_path, page_folder):
    microphone = tmp_path / "microphone.wav"
    microphone.write_bytes(encoded(spoken_vowels(3, 12.0, 48_000), 48_000))
    uploads = str(tmp_path / "uploads")
    synthesizer = LocalSynthesizer.open(ServeArgs(model="embedded-babble", uploads=uploads))
    switches = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}",
    )
    with (
        origin_of(page_folder) as origin,
        browser_page(640, 480, *switches) as page,
        serving(synthesizer, keys=KEYS, library=VoiceLibrary(uploads), origins=(origin,)) as url,
    ):
        page.goto(origin)
        made = page.evaluate(CLONE, [url, SECRET, RECORD_S])
    synthesizer.close()
    assert made["status"] == 200, made["voice"]
    assert "webm" in made["kind"]
    assert made["voice"]["heard"]["speech_s"] > 5
    assert made["voice"]["heard"]["warnings"] == []
    assert made["seconds"] > 0.5
