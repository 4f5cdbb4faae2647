"""The player and its worklet: what the audio thread plays, and what it counts."""

import numpy as np
import pytest

from tests.support.browser import needs_chromium
from tests.support.fakes import FakeSynthesizer
from tests.support.web_page import web_page
from tests.support.web_sound import heard, listen, sound_of, with_capture

pytestmark = [pytest.mark.full, needs_chromium]

RATE = 24_000
QUANTUM = 128
PRELUDE = """async (a) => {
    const { page: { player } } = await import("/play/main.js");
    const sound = (from, to) => Float32Array.from(
        { length: to - from }, (_, index) => (from + index + 1) / 32768);
    const until = (kind) => new Promise((resolve) =>
        player.addEventListener(kind, ({ detail }) => resolve(detail), { once: true }));
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const samples = (ms) => ms * 24;
    let last = null;
    player.addEventListener("position", ({ detail }) => { last = detail; });
"""


@pytest.fixture(scope="module")
def page(chromium):
    with web_page(chromium, FakeSynthesizer(), proxied=with_capture) as page:
        listen(page)
        yield page


def played(page, script, argument=None):
    """The value of the script, and what was played. Sample n of a sound is n + 1, of 16 bits."""
    heard(page)
    value = page.evaluate(f"{PRELUDE}{script}}}", argument)
    page.wait_for_timeout(30)  # the last quanta
    return value, heard(page)


def ramp(start, end):
    return np.arange(start + 1, end + 1)


def test_pieces_are_played_without_a_gap_in_their_order(page):
    """They wait for the end, so that a slow page is late with none of them."""
    _, samples = played(
        page,
        """
        const id = player.begin({ waitMs: 10_000 });
        for (const [from, to] of [[0, 1], [1, 100], [100, 4000], [4000, 4001]]) {
            player.add(id, sound(from, to));
        }
        player.end(id);
        await until("drained");
        """,
    )
    assert np.array_equal(sound_of(samples), ramp(0, 4001))


def test_a_stop_is_silent_from_the_next_quantum_on_and_tells_what_was_played(page):
    position, samples = played(
        page,
        """
        const id = player.begin();
        player.add(id, sound(0, 24000));
        await until("playing");
        await sleep(100);
        const stopping = player.stop();
        player.add(id, sound(24000, 26000));  // comes too late
        const position = await stopping;
        await sleep(50);
        return position;
        """,
    )
    assert np.array_equal(sound_of(samples), ramp(0, position))
    assert position % QUANTUM == 0
    assert 0 < position < RATE


def test_silence_while_more_is_to_come_is_an_underrun(page):
    counted, samples = played(
        page,
        """
        const id = player.begin();
        player.add(id, sound(0, 1000));
        await until("playing");
        await sleep(150);
        player.add(id, sound(1000, 2000));
        player.end(id);
        await until("drained");
        return [last.numUnderruns, last.silentSamples];
        """,
    )
    num_underruns, silent = counted
    assert num_underruns == 1
    loud = np.flatnonzero(samples)
    assert np.array_equal(samples[loud], ramp(0, 2000))
    assert loud[-1] + 1 - loud[0] - 2000 == silent


def test_silence_because_the_text_came_late_is_no_underrun_and_the_wait_is_kept(page):
    counted, samples = played(
        page,
        """
        const id = player.begin();
        player.add(id, sound(0, 1000));
        await until("playing");
        await sleep(150);
        const { position } = last;
        player.add(id, sound(1000, 2000), 200);
        await sleep(100);
        const still = player.position;
        await sleep(200);
        player.end(id);
        await sleep(30);
        return [last.numUnderruns, position, still];
        """,
    )
    assert counted == [0, 1000, 1000]  # and after the wait
    assert np.array_equal(samples[np.flatnonzero(samples)], ramp(0, 2000))


def test_the_prebuffer_is_the_time_from_the_first_sound_until_it_is_played(page):
    (waited_s, at_once_s), _ = played(
        page,
        """
        const waits = [];
        for (const ends of [false, true]) {
            const id = player.begin({ waitMs: 300 });
            const asked = player.context.currentTime;
            player.add(id, sound(0, 1000));
            if (ends) player.end(id);
            const { time } = await until("playing");
            waits.push(time - asked);
            player.end(id);
            await until("drained");
        }
        return waits;
        """,
    )
    assert 0.28 < waited_s < 0.5
    assert at_once_s < 0.2  # nothing more comes, so there is nothing to wait for


def test_a_new_utterance_drops_what_played_before(page):
    _, samples = played(
        page,
        """
        const first = player.begin();
        player.add(first, sound(0, 24000));
        await until("playing");
        const second = player.begin();
        player.add(first, sound(24000, 25000));
        player.add(second, sound(25000, 26000));
        player.end(second);
        await until("drained");
        """,
    )
    values = samples[np.flatnonzero(samples)]
    assert np.array_equal(values[-1000:], ramp(25_000, 26_000))
    assert values[-1001] < 24_000  # nothing of the first that came later


def test_positions_are_told_while_it_plays(page):
    told, _ = played(
        page,
        """
        const told = [];
        const listening = new AbortController();
        player.addEventListener("position", ({ detail }) => told.push(detail), listening);
        const id = player.begin({ position: 500 });
        player.add(id, sound(0, 12000));
        player.end(id);
        await until("drained");
        listening.abort();
        return told.map(({ position, buffered }) => [position, buffered]);
        """,
    )
    assert len(told) > 10
    assert all(position + buffered == 12_500 for position, buffered in told[1:])
    assert told[-1] == [12_500, 0]
    assert [position for position, _ in told] == sorted(position for position, _ in told)


def test_a_context_of_another_rate_is_made_where_the_sound_has_one(page):
    rates, _ = played(
        page,
        """
        const { Player } = await import("/play/player.js");
        const other = new Player();
        await other.open(8000);
        const first = other.context.sampleRate;
        await other.open(16000);
        const second = other.context.sampleRate;
        await other.context.close();
        return [first, second];
        """,
    )
    assert rates == [8000, 16_000]


@pytest.mark.long  # test_troubles.py has the messages
@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ("AudioContext.prototype.__defineGetter__('audioWorklet', () => undefined)", "missing"),
        ("AudioWorklet.prototype.addModule = () => Promise.reject(new Error('no'))", "failed"),
    ],
)
def test_a_browser_that_allows_no_worklet_is_an_error_with_a_code(page, broken, code):
    other = page.context.browser.new_page()
    other.goto(page.url)
    other.evaluate(f"() => {{ {broken}; }}")
    told = other.evaluate(
        f"""{PRELUDE}
        const {{ Player }} = await import("/play/player.js");
        return await new Player().open(24000).catch((error) => error.code);
        }}"""
    )
    other.close()
    assert told == f"worklet_{code}"
