"""The JavaScript client by itself: both transports, cancels, refusals, keys, lost connections."""

import base64
from contextlib import ExitStack

import httpx
import pytest

from app.audio.pcm import to_s16le
from app.core import FinishReason
from app.errors import SynthesisFailed
from tests.support.api_clients import serving
from tests.support.api_keys import key
from tests.support.browser import needs_chromium
from tests.support.eventually import eventually_sync
from tests.support.fakes import FakeSynthesizer, tone
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.timed_text import HEARD, TEXT, TOLD, synthesizer, told

pytestmark = [pytest.mark.full, needs_chromium]

KEYS = (key("red-key", "red", "red", ("speak",)),)
WITHIN_S = 10
TRANSPORTS = ("socket", "events")
PRELUDE = """async (a) => {
    const { SpeechClient } = await import("/play/client.js");
    const connected = (options = {}) =>
        new SpeechClient({ key: a.key, transport: a.transport, ...options });
    const begun = async (client, options = {}) => {
        const speech = await client.speak({ voice: "default", ...options });
        speech.heard = [];
        speech.kinds = [];
        speech.wordsTold = [];
        for (const kind of ["started", "audio", "words", "flushed", "refused", "end"]) {
            speech.addEventListener(kind, ({ detail }) => {
                if (speech.kinds.at(-1) !== kind) speech.kinds.push(kind);
                if (kind === "audio") speech.heard.push(...detail.bytes);
                if (kind === "words") speech.wordsTold.push(...detail.words);
                if (kind === "started") speech.told = detail;
                if (kind === "refused") speech.refusal = detail.error.code;
            });
        }
        return speech;
    };
    const sound = (speech) => btoa(String.fromCharCode(...speech.heard));
    const until = (speech, kind) => new Promise((resolve) =>
        speech.addEventListener(kind, ({ detail }) => resolve(detail), { once: true }));
"""


class Sides:
    """A page of a server, and the server's synthesizer."""

    def __init__(self, page, speaker):
        self.page = page
        self.speaker = speaker

    def run(self, script, **argument):
        return self.page.evaluate(f"{PRELUDE}{script}}}", argument)


def without_sockets(app):
    """As a proxy that forbids sockets."""

    async def proxied(scope, receive, send):
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await app(scope, receive, send)

    return proxied


@pytest.fixture
def sides(browser):
    """A page of a server with this synthesizer and these options."""
    with ExitStack() as servers:

        def opened(speaker=None, **options):
            speaker = speaker or LiveSynthesizer()
            url = servers.enter_context(serving(speaker, **options))
            browser.goto(f"{url}/play/icon.svg")
            return Sides(browser, speaker)

        yield opened
        browser.goto("about:blank")


def test_a_text_in_pieces_is_heard_as_the_server_made_it(sides):
    here = sides(synthesizer(num_chunks=4))
    kinds, sound, words, begun, end = here.run(
        """
        const speech = await begun(connected(), { timestamps: "word", normalise: "on" });
        for (const piece of ["It co", "sts $5 to", "day."]) speech.append(piece);
        speech.close();
        const end = await speech.ended;
        return [speech.kinds, sound(speech), speech.wordsTold, speech.told, end];
        """
    )
    assert base64.b64decode(sound) == to_s16le(tone(4 * 5 * 960))
    assert told(words) == TOLD
    assert (kinds[0], kinds[-1]) == ("started", "end")
    assert (end["type"], end["finish_reason"]) == ("done", "stop")
    assert (begun["sample_rate"], begun["response_format"]) == (24_000, "pcm")
    report = here.speaker.reports()[0]
    assert report.session_id == f"{begun['session_id']}-0"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_both_transports_give_the_same_sound_and_words(sides, transport):
    here = sides(synthesizer(num_chunks=4))
    sound, words, end, begun, is_whole = here.run(
        """
        const speech = await begun(connected(), { timestamps: "word", normalise: "on" });
        speech.append(a.text);
        speech.close();
        const end = await speech.ended;
        return [sound(speech), speech.wordsTold, end, speech.told, speech.isWhole];
        """,
        transport=transport,
        text=TEXT,
    )
    assert base64.b64decode(sound) == to_s16le(tone(4 * 5 * 960))
    assert told(words) == TOLD
    assert (end["type"], end["timing"]["audio_ms"]) == ("done", 800)
    assert begun["session_id"]
    assert is_whole == (transport == "events")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_cancel_stops_the_server_and_nothing_is_heard_after_it(sides, transport):
    here = sides(LiveSynthesizer(num_chunks=500, words=synthesizer().words))
    before, after, ack, end = here.run(
        """
        const speech = await begun(connected(), { timestamps: "word", normalise: "on" });
        speech.append(a.text);
        speech.close();
        for (let n = 0; n < 3; n += 1) await until(speech, "audio");
        const before = speech.heard.length;
        const ack = await speech.cancel(300);
        const { type } = await speech.ended;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return [before, speech.heard.length, ack, type];
        """,
        transport=transport,
        text=TEXT,
    )
    assert ack["state"] in ("stopped", "stopping")  # the fake's session may take a moment to end
    assert end == "cancelled"
    assert ack["heard"] == {**HEARD, "audio_ms": 300.0}
    assert before == after
    eventually_sync(lambda: here.speaker.reports()[0].finish, WITHIN_S, "the session has ended")
    assert here.speaker.reports()[0].finish is FinishReason.CANCELLED


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_cancel_after_the_end_says_what_was_heard(sides, transport):
    here = sides(synthesizer())
    ack = here.run(
        """
        const speech = await begun(connected(), { normalise: "on" });
        speech.append(a.text);
        speech.close();
        await speech.ended;
        return await speech.cancel(300);
        """,
        transport=transport,
        text=TEXT,
    )
    assert ack["state"] == "already_done"
    assert ack["heard"] == {**HEARD, "audio_ms": 300.0}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_wrong_option_ends_the_speech_with_the_servers_error_and_the_next_one_speaks(
    sides, transport
):
    codes, end = sides().run(
        """
        const client = connected();
        const codes = new Set();
        for (let n = 0; n < 12; n += 1) {  // a socket bears 20 wrong messages
            const wrong = await begun(client, { voice: "nobody" });
            wrong.append("Hello.");
            wrong.close();
            codes.add((await wrong.ended).error.code);
        }
        const right = await begun(client);
        right.append("Hello.");
        right.close();
        return [[...codes], (await right.ended).type];
        """,
        transport=transport,
    )
    assert codes == ["voice_not_found"]
    assert end == "done"


def test_several_speeches_share_the_socket(sides):
    sounds = sides().run(
        """
        const client = connected();
        const speeches = await Promise.all([1, 2, 3].map(() => begun(client)));
        for (const speech of speeches) { speech.append("Hello."); speech.close(); }
        await Promise.all(speeches.map((speech) => speech.ended));
        return speeches.map(sound);
        """
    )
    assert {base64.b64decode(each) for each in sounds} == {to_s16le(tone(3 * 5 * 960))}


def test_a_text_that_is_longer_than_a_message_is_sent_in_several(sides):
    here = sides(LiveSynthesizer(num_chunks=1, chunk_s=0))
    kinds, end = here.run(
        """
        const speech = await begun(connected());
        speech.append("\\u0394elta. ".repeat(2000));  // 14,000 characters
        speech.close();
        return [speech.kinds, (await speech.ended).type];
        """
    )
    assert (end, "refused" in kinds) == ("done", False)


def test_a_piece_that_the_server_cannot_take_is_told_and_the_speech_goes_on(sides):
    refusal, end = sides(LiveSynthesizer(chunk_s=0)).run(
        """
        const speech = await begun(connected());
        await until(speech, "started");
        speech.append("a".repeat(16000));
        speech.append("b".repeat(4000));  // more than a context may hold back
        speech.close();
        return [await until(speech, "refused"), (await speech.ended).type];
        """
    )
    assert end == "done"
    assert refusal is not None


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("secret", "code"), [("", "no_api_key"), ("wrong", "invalid_api_key"), ("red-key", None)]
)
def test_a_key_is_sent_and_a_wrong_one_is_told(sides, transport, secret, code):
    told_code = sides(keys=KEYS).run(
        """
        try {
            const speech = await begun(connected());
            speech.append("Hello.");
            speech.close();
            const end = await speech.ended;
            return end.error?.code ?? null;
        } catch (error) { return error.code; }
        """,
        transport=transport,
        key=secret,
    )
    assert told_code == code


@pytest.mark.parametrize("secret", ["a key with spaces", "k,ey", "schlüssel"])
def test_a_key_that_no_socket_can_send_is_an_unknown_key(sides, secret):
    code = sides(keys=KEYS).run(
        "return await connected().connect().catch((error) => error.code);", key=secret
    )
    assert code == "invalid_api_key"


def test_where_sockets_are_forbidden_the_client_speaks_over_events(sides):
    here = sides(proxied=without_sockets)
    usual, strict = here.run(
        """
        const client = connected();
        const speech = await begun(client);
        speech.append("Hello.");
        speech.close();
        const { type } = await speech.ended;
        const strict = await connected({ transport: "socket" }).speak({ voice: "default" })
            .catch((error) => error.code);
        return [[type, client.usesEvents, speech.heard.length], strict];
        """
    )
    assert usual == ["done", True, 2 * 3 * 5 * 960]
    assert strict == "socket_forbidden"


def test_a_server_that_goes_ends_the_speech_and_refuses_the_next_one(browser):
    with serving(LiveSynthesizer(num_chunks=500)) as url:
        browser.goto(f"{url}/play/icon.svg")
        browser.evaluate(
            f"""{PRELUDE}
            const client = connected();
            const speech = await begun(client);
            speech.append("Hello.");
            speech.close();
            await until(speech, "audio");
            window.here = {{ clients: [client, connected({{ transport: "events" }})], speech }};
            }}""",
            {},
        )
    ended, again = browser.evaluate(
        """async () => {
            const end = await here.speech.ended;
            const codes = await Promise.all(here.clients.map(async (client) => {
                try {
                    const speech = await client.speak({ voice: "default" });
                    speech.close();
                    return (await speech.ended).error.code;
                } catch (error) { return error.code; }
            }));
            return [[end.type, end.error.code], codes];
        }"""
    )
    assert ended == ["error", "connection_lost"]
    assert again == ["server_gone", "server_gone"]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_session_that_fails_ends_with_its_error(sides, transport):
    failing = FakeSynthesizer(fail_at=1, error=SynthesisFailed("the engine could not finish"))
    sound_bytes, code = sides(failing).run(
        """
        const speech = await begun(connected());
        speech.append("Hello.");
        speech.close();
        const end = await speech.ended;
        return [speech.heard.length, end.error.code];
        """,
        transport=transport,
    )
    assert (sound_bytes, code) == (2 * 5 * 960, "synthesis_failed")


def test_the_sound_equals_that_of_an_ordinary_request(sides):
    here = sides()
    sound = here.run(
        """
        const speech = await begun(connected());
        speech.append("Hello there.");
        speech.close();
        await speech.ended;
        return sound(speech);
        """
    )
    url = here.page.url.removesuffix("/play/icon.svg")
    body = {"model": "english", "input": "Hello there.", "voice": "default"}
    body["response_format"] = "pcm"
    assert base64.b64decode(sound) == httpx.post(f"{url}/v1/audio/speech", json=body).content
