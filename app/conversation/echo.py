"""The reply of a server without a language model: it repeats what was said to it, and says so."""

from collections.abc import AsyncGenerator, Sequence

from app.conversation.items import FunctionCall, Item, Message
from app.conversation.language_model import ReplyEnd, ReplyPiece, ReplyRequest, TextPiece
from app.errors import LanguageModelFailed

NOTICE = "This server has no language model. I heard: "
AGAIN = "I heard: "
NOTHING = "nothing"
MAX_CHARS = 20_000


class Echo:
    """Implements app.conversation.language_model.LanguageModel."""

    is_echo = True

    async def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPiece, None]:
        has_replied = any(_is_reply(item) for item in request.items)
        said = _last_said(request.items) or NOTHING
        if len(said) > MAX_CHARS:
            message = f"the language model failed: the reply has more than {MAX_CHARS} characters"
            raise LanguageModelFailed(message, code="llm_too_long")
        yield TextPiece(f"{AGAIN if has_replied else NOTICE}{said}")
        yield ReplyEnd("stop")

    async def aclose(self) -> None:
        """Holds nothing."""


def _is_reply(item: Item) -> bool:
    return isinstance(item, FunctionCall) or (
        isinstance(item, Message) and item.role == "assistant"
    )


def _last_said(items: Sequence[Item]) -> str:
    said = [item.text for item in items if isinstance(item, Message) and item.role == "user"]
    return said[-1] if said else ""
