"""The page of a server that hears, and what the page does in a conversation."""

from contextlib import contextmanager

from playwright.sync_api import expect

from app.api.realtime.parts import RealtimeParts
from tests.support.eventually import eventually_sync
from tests.support.scripted_hearing import ScriptedHearing, ScriptedModel
from tests.support.web_page import web_page

ALLOWED = "--use-fake-ui-for-media-stream"  # every page may use the microphone
WITHIN_S = 30
WITHIN_MS = 1000 * WITHIN_S
KEEP = """() => {
    window.sent = [];
    window.received = [];
    window.states = [];
    const state = document.getElementById("talk-state");
    new MutationObserver(() => window.states.push(state.textContent))
        .observe(state, { childList: true });
    const { send } = WebSocket.prototype;
    const kept = new WeakSet();
    WebSocket.prototype.send = function (text) {
        if (this.url.includes("realtime")) {
            window.sent.push(JSON.parse(text));
            if (!kept.has(this)) {
                kept.add(this);
                this.addEventListener("message",
                    ({ data }) => window.received.push(JSON.parse(data).type));
            }
        }
        send.call(this, text);
    };
}"""
HAS_ANSWERED = """() => {
    const spoke = window.states.indexOf("It speaks.");
    return spoke >= 0 && window.states.indexOf("It listens.", spoke) > 0;
}"""
SENT = "kind => window.sent.filter(event => event.type === kind)"
HAS_THE_WHOLE_ANSWER = """() =>
    window.received.lastIndexOf("response.done") > window.received.lastIndexOf("response.created")
"""
TRACKS = """() => {
    window.streams = [];
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wish) => {
        const stream = await ask(wish);
        window.streams.push(stream);
        return stream;
    };
}"""
TRACK_STATES = "window.streams.flatMap(each => each.getTracks().map(track => track.readyState))"


class Talk:
    """A page whose server hears what the test tells."""

    def __init__(self, page, hearing):
        """Of a page that was opened."""
        self.page = page
        self.hearing = hearing
        page.wait_for_selector("#talk")
        page.evaluate(KEEP)

    def begin(self):
        """Returns the ears of the server, once they hear the microphone."""
        before = len(self.hearing.calls)
        self.page.click("#talk")
        self.state("It listens.")
        eventually_sync(lambda: len(self.hearing.calls) > before, WITHIN_S, "the server hears")
        return self.hearing.calls[-1]

    def state(self, text):
        expect(self.page.locator("#talk-state")).to_have_text(text, timeout=WITHIN_MS)

    def answers(self, ears, said):
        """Hears this, speaks, and listens again."""
        self.page.evaluate("() => { window.states = []; }")
        ears.hears(said)
        self.page.wait_for_function(HAS_ANSWERED, timeout=WITHIN_MS)

    def has_the_whole_answer(self):
        """It has come to the page, which may play it for some time yet."""
        self.page.wait_for_function(HAS_THE_WHOLE_ANSWER, timeout=WITHIN_MS)

    def says(self, text):
        """What went wrong, in plain words."""
        expect(self.page.locator("#panel-trouble")).to_contain_text(text, timeout=WITHIN_MS)

    def lines(self, *lines):
        """What was said, as the page shows it."""
        expect(self.page.locator(".transcript li")).to_have_text(lines, timeout=WITHIN_MS)

    def sent(self, kind):
        """Events that the page has sent."""
        return self.page.evaluate(SENT, kind)

    def end(self):
        if self.page.locator("#talk").inner_text() == "End":
            self.page.click("#talk")
        self.state("The conversation has ended.")


@contextmanager
def talk_page(browser, synthesizer, *replies, hearing=None, model=None, secret=None, **options):
    """`replies`: of the language model, where `model` is none. `secret`: the page's API key."""
    hearing = hearing or ScriptedHearing()
    model = model or ScriptedModel(*(replies or ("Hello there.",)))
    parts = RealtimeParts(hearing, model)
    with web_page(browser, synthesizer, realtime=parts, **options) as page:
        if secret is not None:
            page.fill("#key", secret)
            page.locator("#key").press("Enter")
        yield Talk(page, hearing)
