"""The JavaScript client by itself: keys, ways without sockets, a server that goes or fails."""

import pytest

from app.errors import SynthesisFailed
from tests.support.api_clients import serving
from tests.support.api_keys import key
from tests.support.browser import needs_chromium
from tests.support.fakes import FakeSynthesizer
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.web_client import EACH_TRANSPORT, PRELUDE, without_sockets

pytestmark = [pytest.mark.full, needs_chromium]

KEYS = (key("red-key", "red", "red", ("speak",)),)


@pytest.mark.parametrize("transport", EACH_TRANSPORT)
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


@pytest.mark.parametrize("transport", EACH_TRANSPORT)
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
