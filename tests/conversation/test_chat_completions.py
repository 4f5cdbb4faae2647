"""The client of a language model, over a transport of the test: replies and every fault."""

import asyncio
import json

import httpx
import pytest

from app.conversation.chat_completions import ChatCompletions
from app.conversation.items import FunctionCall, FunctionOutput, Message, Part
from app.conversation.language_model import (
    CallPiece,
    ReplyEnd,
    ReplyRequest,
    TextPiece,
    Tool,
)
from app.errors import LanguageModelFailed
from app.realtime_settings import LanguageModelSettings
from tests.support.eventually import eventually

ASKED = ReplyRequest("Be short.", (Message("1", "user", (Part("Hi"),)),))


def settings(**changes):
    return LanguageModelSettings(base_url="http://llm/v1/", model="tiny", **changes)


def chunk(**delta):
    finish = delta.pop("finish", None)
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


USAGE = b'data: {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}\n\n'
DONE = b"data: [DONE]\n\n"
HELLO = [chunk(role="assistant"), chunk(content="Hel"), chunk(content="lo."), chunk(finish="stop")]


class Served(httpx.AsyncBaseTransport):
    """Answers with parts of a body; an exception is raised, `...` waits for ever."""

    def __init__(self, *parts, status=200):
        self.parts = parts
        self.status = status
        self.request = None
        self.is_closed = False

    async def handle_async_request(self, request):
        self.request = request
        if self.parts and isinstance(self.parts[0], Exception):
            raise self.parts[0]
        return httpx.Response(self.status, stream=_Body(self))


class _Body(httpx.AsyncByteStream):
    def __init__(self, served):
        self.served = served

    async def __aiter__(self):
        for part in self.served.parts:
            if part is ...:
                await asyncio.Event().wait()
            if isinstance(part, Exception):
                raise part
            yield part

    async def aclose(self):
        self.served.is_closed = True


async def pieces(served, request=ASKED, key=None, **changes):
    model = ChatCompletions(settings(**changes), key, served)
    return [piece async for piece in model.reply(request)]


async def failure(served, **changes):
    with pytest.raises(LanguageModelFailed) as failed:
        await pieces(served, **changes)
    return failed.value


async def test_a_reply_comes_in_pieces_with_its_end_and_usage():
    told = await pieces(Served(*HELLO, USAGE, DONE))
    assert told == [TextPiece("Hel"), TextPiece("lo."), ReplyEnd("stop", 7, 2)]


async def test_bytes_may_be_cut_anywhere():
    body = b"".join([*HELLO, DONE]).replace(b"\n", b"\r\n")
    told = await pieces(Served(*(body[at : at + 3] for at in range(0, len(body), 3))))
    assert "".join(piece.text for piece in told[:-1]) == "Hello."


async def test_half_of_a_surrogate_pair_becomes_a_character_that_can_be_asked_with():
    call = {"index": 0, "id": "\ud800", "function": {"name": "f\udc00", "arguments": "\ud800x"}}
    told = await pieces(
        Served(
            chunk(content="a\ud800b \ud83d\ude00"),
            chunk(tool_calls=[call]),
            chunk(finish="stop"),
            DONE,
        )
    )
    assert told[:2] == [
        TextPiece("a\ufffdb \U0001f600"),
        CallPiece(0, "\ufffdx", "\ufffd", "f\ufffd"),
    ]
    refusal = await failure(Served(b'data: {"error": "no \\ud800"}\n\n'))
    assert refusal.message.endswith("no \ufffd")


async def test_the_request_is_a_streamed_chat_completion_with_the_key():
    served = Served(*HELLO, DONE)
    await pieces(served, key="secret")
    assert str(served.request.url) == "http://llm/v1/chat/completions"
    assert served.request.headers["authorization"] == "Bearer secret"
    body = json.loads(served.request.content)
    assert body["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Hi"},
    ]
    assert (body["stream"], body["model"]) == (True, "tiny")
    assert "tools" not in body


async def test_calls_and_results_stand_side_by_side():
    served = Served(*HELLO, DONE)
    items = (
        FunctionCall("1", "a", "weather", "{}"),
        FunctionCall("2", "b", "time", "{}"),
        Message("3", "user", (Part("Well?"),)),
        FunctionOutput("4", "b", "noon"),
        FunctionOutput("5", "a", "rain"),
        FunctionCall("6", "c", "no_result", "{}"),
        FunctionOutput("7", "d", "no call"),
    )
    await pieces(served, ReplyRequest("", items, (Tool("weather", "", {}),), {"name": "weather"}))
    body = json.loads(served.request.content)
    calls, *results, said = body["messages"]
    assert [call["id"] for call in calls["tool_calls"]] == ["a", "b"]
    assert [(each["tool_call_id"], each["content"]) for each in results] == [
        ("a", "rain"),
        ("b", "noon"),
    ]
    assert said == {"role": "user", "content": "Well?"}
    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}


async def test_a_call_comes_in_pieces():
    first = {"index": 0, "id": "a", "function": {"name": "weather", "arguments": ""}}
    rest = {"index": 0, "function": {"arguments": "{}"}}
    told = await pieces(
        Served(chunk(tool_calls=[first]), chunk(tool_calls=[rest]), chunk(finish="stop"), DONE)
    )
    assert told == [
        CallPiece(0, "", "a", "weather"),
        CallPiece(0, "{}"),
        ReplyEnd("tool_calls"),
    ]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([httpx.ConnectError("refused")], "llm_unreachable"),
        ([httpx.ConnectTimeout("slow")], "llm_timeout"),
        ([*HELLO[:2]], "llm_cut_off"),
        ([*HELLO[:2], httpx.RemoteProtocolError("peer closed")], "llm_cut_off"),
        ([b"data: {nonsense\n\n"], "llm_invalid"),
        ([b'data: {"choices": "many"}\n\n'], "llm_invalid"),
        ([b"data: [1, 2]\n\n"], "llm_invalid"),
        ([b'data: {"error": {"message": "no credit"}}\n\n'], "llm_refused"),
        ([b"<html>a page</html>"], "llm_cut_off"),
        ([b"x" * 1_048_577], "llm_invalid"),
        ([], "llm_cut_off"),
    ],
)
async def test_each_fault_has_a_code_of_its_own(parts, code):
    served = Served(*parts)
    assert (await failure(served)).code == code


async def test_a_refusal_tells_the_status_and_the_servers_words():
    served = Served(b'{"error": "no such model"}', status=404)
    error = await failure(served)
    assert error.code == "llm_refused"
    assert "404" in error.message
    assert "no such model" in error.message
    assert served.is_closed


@pytest.mark.parametrize(
    ("parts", "limit"),
    [
        ([...], {"first_piece_s": 0.01}),
        ([HELLO[1], ...], {"piece_gap_s": 0.01}),
        ([HELLO[1], ...], {"reply_s": 0.01}),
    ],
)
async def test_a_slow_model_is_given_up_and_its_connection_closed(parts, limit):
    served = Served(*parts)
    assert (await failure(served, **limit)).code == "llm_timeout"
    assert served.is_closed


async def test_a_reply_without_an_end_in_sight_is_cut():
    served = Served(*[chunk(content="word ")] * 10)
    assert (await failure(served, max_reply_chars=20)).code == "llm_too_long"


async def test_calls_count_as_the_text_does():
    calls = [{"index": at, "id": "a", "function": {"name": "f"}} for at in range(5)]
    more = [{"index": 0, "function": {"arguments": "x" * 10}}]
    with_calls = chunk(content="word"), chunk(tool_calls=calls), *[chunk(tool_calls=more)] * 2
    end = chunk(finish="stop"), DONE
    assert len(await pieces(Served(*with_calls, *end), max_reply_chars=34)) == 1 + 5 + 2 + 1
    assert (await failure(Served(*with_calls), max_reply_chars=33)).code == "llm_too_long"


async def test_the_name_of_a_call_counts_once_where_it_is_repeated():
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    served = Served(*[chunk(tool_calls=[call])] * 3, chunk(finish="stop"), DONE)
    told = await pieces(served, max_reply_chars=8)
    assert told[:3] == [CallPiece(0, "{}", "a", "f"), CallPiece(0, "{}"), CallPiece(0, "{}")]


async def test_leaving_a_reply_closes_its_connection():
    served = Served(HELLO[1], ...)
    model = ChatCompletions(settings(), None, served)
    reply = model.reply(ASKED)
    assert await anext(reply) == TextPiece("Hel")
    await reply.aclose()
    assert served.is_closed


async def test_a_cancelled_reply_closes_its_connection():
    served = Served(HELLO[1], ...)
    reading = asyncio.ensure_future(pieces(served))
    await eventually(lambda: served.request, 5, "the model is asked")
    reading.cancel()
    await asyncio.wait({reading})
    assert reading.cancelled()
    assert served.is_closed


@pytest.mark.parametrize("url", ["llm:80", "http://user@llm", "http://llm?key=1", "ftp://llm"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="URL"):
        LanguageModelSettings(base_url=url, model="tiny")
