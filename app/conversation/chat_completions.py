"""A language model behind `POST {base_url}/chat/completions`, as OpenAI and many servers have it.

The reply is read as it comes. Every fault is a LanguageModelFailed with a code of its own. Leaving
a reply closes its connection, so the model stops. Knows nothing about sessions or sound.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import httpx

from app.conversation.chat_messages import chat_body
from app.conversation.chat_pieces import ChatPieces
from app.conversation.event_lines import EventLines
from app.conversation.language_model import (
    CallPiece,
    ReplyEnd,
    ReplyPiece,
    ReplyRequest,
    TextPiece,
)
from app.errors import LanguageModelFailed
from app.realtime_settings import LanguageModelSettings

MAX_REFUSAL_BYTES = 4096  # of a refusal's body that are read
MAX_TOLD_CHARS = 300


class ChatCompletions:
    """Implements app.conversation.language_model.LanguageModel."""

    is_echo = False

    def __init__(
        self,
        settings: LanguageModelSettings,
        key: str | None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`transport`: None for the network."""
        self._settings = settings
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        self._client = httpx.AsyncClient(
            headers=headers,
            limits=limits,
            timeout=httpx.Timeout(None, connect=settings.connect_s),
            transport=transport,
        )

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPiece, None]:
        num_chars = 0
        async with aclosing(self._pieces(request)) as pieces:
            async for piece in self._in_time(pieces):
                num_chars += _num_chars(piece)
                if num_chars > self._settings.max_reply_chars:
                    limit = self._settings.max_reply_chars
                    raise _failed("too_long", f"the reply has more than {limit} characters")
                yield piece

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _in_time(
        self, pieces: AsyncGenerator[ReplyPiece, None]
    ) -> AsyncGenerator[ReplyPiece, None]:
        settings = self._settings
        now = asyncio.get_running_loop().time
        until_s = now() + settings.reply_s
        allowed_s = settings.first_piece_s
        while True:
            try:
                async with asyncio.timeout(min(allowed_s, until_s - now())):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise _failed("timeout", f"no piece came within {allowed_s:g} s") from None
            yield piece
            allowed_s = settings.piece_gap_s

    async def _pieces(self, request: ReplyRequest) -> AsyncGenerator[ReplyPiece, None]:
        lines, pieces = EventLines(), ChatPieces()
        try:
            async with self._opened(request) as response:
                async for content in response.aiter_bytes():
                    for line in lines.feed(content):
                        for piece in pieces.read(line):
                            yield piece
                    if pieces.is_over:
                        break
        except httpx.TimeoutException as error:
            raise _failed("timeout", "the connection was not made in time") from error
        except httpx.HTTPError as error:
            code = "cut_off" if lines.has_any else "unreachable"
            raise _failed(code, type(error).__name__) from error
        yield self._end(pieces)

    @asynccontextmanager
    async def _opened(self, request: ReplyRequest) -> AsyncGenerator[httpx.Response, None]:
        settings = self._settings
        body = chat_body(settings.model, request)
        address = f"{settings.base_url}/chat/completions"
        async with self._client.stream("POST", address, json=body) as response:
            if response.status_code != httpx.codes.OK:
                raise _failed("refused", await _refusal(response))
            yield response

    def _end(self, pieces: ChatPieces) -> ReplyEnd:
        end = pieces.end()
        if end is None:
            raise _failed("cut_off", "the reply ended without its end")
        return end


def _num_chars(piece: ReplyPiece) -> int:
    match piece:
        case TextPiece():
            return len(piece.text)
        case CallPiece():
            return len(piece.arguments) + len(piece.call_id) + len(piece.name)
        case ReplyEnd():
            return 0


async def _refusal(response: httpx.Response) -> str:
    """The status and the beginning of the body."""
    told = b""
    async for content in response.aiter_bytes():
        told += content
        if len(told) > MAX_REFUSAL_BYTES:
            break
    text = told.decode("utf-8", "replace")[:MAX_TOLD_CHARS]
    return f"status {response.status_code}: {text}"


def _failed(code: str, reason: str) -> LanguageModelFailed:
    return LanguageModelFailed(f"the language model failed: {reason}", code=f"llm_{code}")
