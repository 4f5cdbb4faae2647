"""The JavaScript client by itself: both transports, cancels, refusals."""

import base64

import httpx
import pytest

from app.audio.pcm import to_s16le
from app.core import FinishReason
from tests.support.browser import needs_chromium
from tests.support.eventually import eventually_sync
from tests.support.fakes import FakeSynthesizer, tone
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.timed_text import HEARD, TEXT, TOLD, synthesizer, told
from tests.support.web_client import EACH_TRANSPORT, TRANSPORTS

pytestmark = [pytest.mark.full, needs_chromium]

WITHIN_S = 30


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


@pytest.mark.parametrize("transport", EACH_TRANSPORT)
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


@pytest.mark.parametrize("transport", EACH_TRANSPORT)
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
    here = sides(FakeSynthesizer(hold_at=0))  # what is spoken is not held back any more
    refusal = here.run(
        """
        const speech = window.speech = await begun(connected());
        await until(speech, "started");
        const refused = until(speech, "refused");
        speech.append("a".repeat(16000));
        speech.append("b".repeat(4000));  // more than a context may hold back
        speech.close();
        return (await refused).error.code;
        """
    )
    assert refusal == "buffer_full"
    here.speaker.hold_at = None
    here.speaker.release()
    assert here.run("return (await window.speech.ended).type;") == "done"


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
