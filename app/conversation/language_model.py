"""What continues a conversation: the seam between a session and a language model.

Knows nothing about HTTP, sound or events.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from app.conversation.items import Item

EndReason = Literal["stop", "tool_calls", "length", "content_filter"]
ToolChoice = str | Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the client offers. `parameters`: a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ReplyRequest:
    """`max_tokens` None: the model's own limit."""

    instructions: str
    items: Sequence[Item]
    tools: Sequence[Tool] = ()
    tool_choice: ToolChoice = "auto"
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TextPiece:
    text: str


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A part of the call `index` of the reply. `call_id` and `name` come with its first part."""

    index: int
    arguments: str
    call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ReplyEnd:
    """The last piece of a reply. Tokens that the model did not count are 0."""

    reason: EndReason
    num_input_tokens: int = 0
    num_output_tokens: int = 0
    num_cached_tokens: int = 0


ReplyPiece = TextPiece | CallPiece | ReplyEnd


class LanguageModel(Protocol):
    @property
    def is_echo(self) -> bool:
        """Whether there is no language model, and the reply repeats what was heard."""

    def reply(self, request: ReplyRequest) -> AsyncGenerator[ReplyPiece, None]:
        """The pieces, of which the last one is a ReplyEnd. Closing the generator ends the request.
        Raises LanguageModelFailed, also for a reply without an end in sight: its text and its
        calls are bounded."""

    async def aclose(self) -> None: ...
