"""Hostile texts: each is spoken or refused, and the event loop stays free."""

import asyncio
import itertools
import json
import sys
from unicodedata import category

import pytest

from app.text.plan import plan_text
from tests.support.api_clients import in_process, speech
from tests.support.fakes import FakeSynthesizer

UNITS = {
    "letters": "a",
    "words": "word ",
    "dots": ".",
    "ellipses": "... ",
    "initials": "A. ",
    "abbreviations": "Dr. Mr. e.g. ",
    "brackets": "[",
    "images": "![[",
    "links": "[a](",
    "quotes": "> ",
    "lists": "- ",
    "stars": "*a*_",
    "backticks": "`",
    "tables": "|a",
    "tags": "<b>",
    "breaks": "<break ",
    "pauses": "[pause:",
    "good pauses": "a[pause:0s]",
    "speak": "<speak>",
    "quotation marks": "\"'",
    "digits": "9",
    "decimals": "1.2.3.",
    "urls": "http://a.b/?c=d&",
    "emoji": "🙂",
    "families": "👩‍👩‍👧",
    "flags": "🇩🇪",
    "accents": "e\u0301\u0301\u0301",
    "zalgo": "a" + "\u0336" * 20,
    "joiners": "\u200d\u200b",
    "directions": "\u202e\u202da",
    "controls": "\x00\x07\x1b[31m",
    "surrogates": "\ud800a",
    "chinese": "你好。",
    "japanese": "こんにちは、",
    "arabic": "مرحبا؟ ",
    "hindi": "नमस्ते। ",
    "thai": "สวัสดี",
    "new lines": "\n",
    "paragraphs": "a\n\n",
    "tabs": "\t",
    "no-break spaces": "\u00a0a",
    "sql": "'; DROP TABLE voices; -- ",
    "templates": "{{7*7}} ${7*7} %s %n ",
    "paths": "../../etc/passwd ",
    "html": "<script>alert(1)</script>",
    "math": "\U0001d538\U0001d553",
    "private": "\ue000a",
    "last planes": "\U0010ffffa",
    "ligatures": "ﷺ",
    "turkish": "İı",
    "german": "ß. ",
}
LENGTHS = (1, 40, 4096)
TEXTS = [
    (f"{name} x {length}", (unit * (length // len(unit) + 1))[:length])
    for (name, unit), length in itertools.product(UNITS.items(), LENGTHS)
] + [
    (
        "every category",
        "".join({category(chr(c)): chr(c) for c in range(0x3000)}.values()),
    ),
    ("too long by one", "a" * 4097),
    ("much too long", "a" * 60_000),
    ("deep brackets", "(" * 2000 + ")" * 2000),
    ("deep quotes", "> " * 500 + "a"),
    ("one word of 4096", "Llanfair" * 512),
    ("mixed directions", "abc\u202exyz\u2066" * 200),
]


def body(text, **fields):
    return json.dumps(speech(input=text, response_format="pcm", **fields)).encode()


def test_the_list_of_texts_is_long_enough():
    assert len(TEXTS) >= 100
    assert sys.getrecursionlimit() < 2000  # so deep brackets would show


@pytest.mark.parametrize("fields", [{}, {"strip_markdown": True, "strip_emoji": True}])
async def test_every_hostile_text_is_spoken_or_refused_by_name(fields):
    synthesizer = FakeSynthesizer(num_chunks=1)
    headers = {"content-type": "application/json"}
    async with in_process(synthesizer) as client:
        for name, text in TEXTS:
            response = await client.post(
                "/v1/audio/speech", content=body(text, **fields), headers=headers
            )
            assert response.status_code in (200, 400, 413), (name, response.text[:200])
            if response.status_code == 400:
                assert response.json()["error"]["param"] == "input", name
    for request in synthesizer.requests:
        assert all(1 <= len(segment) <= 280 for segment in request.segments)


async def test_a_text_is_cut_on_another_thread(monkeypatch):
    """Another request is answered while a text is being cut. A barrier holds the cut, no clock."""
    cutting, go = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(*args):
        if args[0] == "Slow.":
            loop.call_soon_threadsafe(cutting.set)
            asyncio.run_coroutine_threadsafe(go.wait(), loop).result(10)
        return plan_text(*args)

    monkeypatch.setattr("app.api.speech_job.plan_text", slow)
    headers = {"content-type": "application/json"}
    async with in_process(FakeSynthesizer()) as client:
        first = asyncio.ensure_future(
            client.post("/v1/audio/speech", content=body("Slow."), headers=headers)
        )
        await cutting.wait()
        other = await client.post("/v1/audio/speech", content=body("Fast."), headers=headers)
        assert other.status_code == 200
        assert not first.done()
        go.set()
        assert (await first).status_code == 200
