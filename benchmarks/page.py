"""The page in a headless Chromium: click to first sample beside curl, stop to silence, memory.

    python benchmarks/page.py --url http://127.0.0.1:8000
    python benchmarks/page.py --rounds 30 --stops 100 --utterances 200

A click on the page and a curl of the same request take turns. The page's time runs from the click
until its audio thread has said that the first sample plays; the prebuffer is 0. curl's time runs
from its start to the first byte of the answer, which the server sends with the first sound. The
page's socket is open before the click, as it is for its user; curl opens a connection. The time of
a stop ends when the audio thread has confirmed that it dropped everything; the quantum that plays
then lasts up to 5.3 ms more. Memory is that of the renderer process after a collection of garbage.
The last line is one JSON object.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil
from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from benchmarks.measure import quantile, say

TEXT = "Hello there, this is one sentence."
LONG_TEXT = "This answer is long, and its listener does not want to hear all of it. " * 6
SPEAK = """async (text) => {
    const { page } = await import("/play/main.js");
    document.getElementById("text").value = text;
    const begun = new Promise((resolve) => {
        const tell = ({ detail }) => resolve(detail.utterance);
        page.addEventListener("utterance", tell, { once: true });
    });
    document.getElementById("speak").click();
    const utterance = await begun;
    await new Promise((resolve, reject) => {
        utterance.addEventListener("playing", resolve, { once: true });
        utterance.addEventListener("end", ({ detail }) => {
            if (detail.type === "error") reject(detail.error);
        });
    });
    return utterance.times.firstSample - utterance.times.asked;
}"""
END = """async () => {
    const { utterance } = (await import("/play/main.js")).page;
    if (utterance.times.drained !== null) return;
    await new Promise((resolve) => utterance.addEventListener("drained", resolve, { once: true }));
}"""
STOP = """async () => {
    const { page } = await import("/play/main.js");
    const { utterance } = page;
    document.getElementById("stop").click();
    await new Promise((resolve) =>
        utterance.addEventListener("acknowledged", resolve, { once: true }));
    const { stopAsked, silent, acknowledged } = utterance.times;
    return [silent - stopAsked, acknowledged - stopAsked];
}"""


@contextmanager
def opened(url: str) -> Iterator[Page]:
    """The page, with the key of the environment where the server asks for one."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    switches = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=switches)
        page = browser.new_page()
        page.goto(f"{url}/play")
        page.wait_for_selector("body[data-ready]")
        if page.locator("#panel-key").is_visible():
            page.fill("#key", os.environ["CHATTERBOX_API_KEY"])
            page.locator("#key").press("Enter")
            page.wait_for_selector("#panel-key", state="hidden")
        page.select_option("#start", "soonest")
        page.fill("#prebuffer", "0")
        yield page
        browser.close()


def curl_ms(url: str, voice: str) -> float:
    """From the start of curl to the first byte of the answer."""
    body = {"model": "tts-1", "input": TEXT, "voice": voice, "start": "soonest"}
    body["response_format"] = "pcm"
    key = os.environ.get("CHATTERBOX_API_KEY", "")
    headers = ("-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {key}")
    options = ("-sN", "-o", os.devnull, "-w", "%{time_starttransfer}", "--fail-with-body")
    command = ["curl", *options, *headers, "-d", json.dumps(body), f"{url}/v1/audio/speech"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return float(done.stdout) * 1e3


def first_sounds(page: Page, url: str, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds in the page and of curl. The first round of each is not counted."""
    voice = page.input_value("#voice")
    clicks, curls = [], []
    for _ in range(rounds + 1):
        clicks.append(float(page.evaluate(SPEAK, TEXT)))
        page.evaluate(END)
        curls.append(curl_ms(url, voice))
    return clicks[1:], curls[1:]


def stops(page: Page, num: int) -> tuple[list[float], list[float]]:
    """Milliseconds until the audio thread was silent, and until the server had acknowledged."""
    rng = random.Random(1)
    silences, acks = [], []
    for _ in range(num):
        page.evaluate(SPEAK, LONG_TEXT)
        page.wait_for_timeout(rng.uniform(0, 500))
        silence_ms, ack_ms = page.evaluate(STOP)
        silences.append(float(silence_ms))
        acks.append(float(ack_ms))
    return silences, acks


def renderer_mb(page: Page) -> float:
    """Of the largest renderer below this process, after a collection of garbage."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.detach()
    sizes = [
        process.memory_info().rss
        for process in psutil.Process().children(recursive=True)
        if "--type=renderer" in process.cmdline()
    ]
    return max(sizes, default=0) / 2**20


def memory_of(page: Page, num: int) -> list[float]:
    """MiB at each tenth of `num` utterances; each is stopped once it plays."""
    sizes = []
    for number in range(num):
        page.evaluate(SPEAK, LONG_TEXT)
        page.evaluate(STOP)
        if (number + 1) % max(1, num // 10) == 0:
            sizes.append(round(renderer_mb(page), 1))
    return sizes


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    return {name: quantile(values, q) for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--stops", type=int, default=100)
    parser.add_argument("--utterances", type=int, default=200)
    args = parser.parse_args()
    with opened(args.url) as page:
        clicks, curls = first_sounds(page, args.url, args.rounds)
        silences, acks = stops(page, args.stops)
        sizes = memory_of(page, args.utterances)
    rows = {"click_to_first_sample": clicks, "curl": curls, "stop_to_silence": silences}
    table = {name: percentiles(values) for name, values in (rows | {"stop_to_ack": acks}).items()}
    for name, values in table.items():
        say(f"{name:<22} {values}")
    say(f"renderer MiB           {sizes}")
    report = {"benchmark": "page", "rounds": args.rounds, "ms": table, "renderer_mib": sizes}
    report["more_than_curl_ms"] = round(median(clicks) - median(curls), 1) if clicks else None
    say(json.dumps(report))


if __name__ == "__main__":
    main()
