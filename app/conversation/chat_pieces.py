"""The chunks of a streamed chat completion, as pieces of a reply. Pure."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BaseModel, ValidationError

from app.conversation.language_model import CallPiece, EndReason, ReplyEnd, ReplyPiece, TextPiece
from app.errors import LanguageModelFailed

_DONE = b"[DONE]"
_REASONS = get_args(EndReason)


def _unicode(text: str) -> str:
    """Half of a surrogate pair, which no request can have, becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


_Text = Annotated[str, AfterValidator(_unicode)]


class _Function(BaseModel):
    name: _Text | None = None
    arguments: _Text | None = None


class _ToolCall(BaseModel):
    index: int = 0
    id: _Text | None = None
    function: _Function | None = None


class _Delta(BaseModel):
    content: _Text | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(BaseModel):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Details(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _Chunk(BaseModel):
    choices: list[_Choice] = []
    usage: _Usage | None = None


class ChatPieces:
    def __init__(self) -> None:
        self._reason: str | None = None
        self._usage = _Usage()
        self._calls: set[int] = set()  # that have begun
        self.is_over = False  # the model has said that nothing more comes

    def read(self, line: bytes) -> Iterator[ReplyPiece]:
        """`line`: what stands behind `data:`. Raises LanguageModelFailed where it is no chunk, and
        where it is an error."""
        if not line:
            return
        if line == _DONE:
            self.is_over = True
            return
        chunk = _chunk(line)
        self._usage = chunk.usage or self._usage
        for choice in chunk.choices[:1]:
            yield from self._pieces(choice)

    def end(self) -> ReplyEnd | None:
        """None where the reply broke off."""
        if self._reason is None:
            return None
        reason = self._reason if self._reason in _REASONS else "stop"
        if self._calls and reason == "stop":  # some servers say stop behind a call
            reason = "tool_calls"
        usage = self._usage
        details = usage.prompt_tokens_details or _Details()
        return ReplyEnd(
            reason,  # type: ignore[arg-type]
            usage.prompt_tokens or 0,
            usage.completion_tokens or 0,
            details.cached_tokens or 0,
        )

    def _pieces(self, choice: _Choice) -> Iterator[ReplyPiece]:
        delta = choice.delta or _Delta()
        if delta.content:
            yield TextPiece(delta.content)
        for call in delta.tool_calls or ():
            function = call.function or _Function()
            arguments = function.arguments or ""
            if call.index in self._calls:  # some servers repeat its name
                yield CallPiece(call.index, arguments)
                continue
            self._calls.add(call.index)
            yield CallPiece(call.index, arguments, call.id or "", function.name or "")
        self._reason = choice.finish_reason or self._reason


def _chunk(line: bytes) -> _Chunk:
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _invalid("a chunk is no JSON") from error
    if isinstance(value, dict) and (told := value.get("error")) is not None:
        text = told.get("message") if isinstance(told, dict) else told
        message = f"the language model failed: {_unicode(str(text)):.300}"
        raise LanguageModelFailed(message, code="llm_refused")
    try:
        return _Chunk.model_validate(value)
    except ValidationError as error:
        raise _invalid("a chunk has another shape than a chat completion") from error


def _invalid(reason: str) -> LanguageModelFailed:
    return LanguageModelFailed(f"the language model failed: {reason}", code="llm_invalid")
