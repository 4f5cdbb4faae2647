"""The settings of the realtime session: the language model behind it, and its bounds.
app.config reads the language model's key from the environment."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field


def _checked_url(url: str) -> str:
    if not url.startswith(("http://", "https://")) or "@" in url or "?" in url:
        raise ValueError("an http or https URL without user information and query")
    return url.rstrip("/")


class LanguageModelSettings(BaseModel, extra="forbid", frozen=True):
    """An OpenAI-compatible server. Its key is CHATTERBOX_LLM_API_KEY, where it needs one."""

    base_url: Annotated[str, AfterValidator(_checked_url)] = Field(
        description="such as http://127.0.0.1:8001/v1; `/chat/completions` is added"
    )
    model: str = Field(min_length=1, description="the model that is asked for")
    connect_s: float = Field(3.0, gt=0, description="for the connection")
    first_piece_s: float = Field(
        10.0, gt=0, description="from the request to the first piece of the reply"
    )
    piece_gap_s: float = Field(10.0, gt=0, description="between two pieces of the reply")
    reply_s: float = Field(120.0, gt=0, description="for a whole reply")
    max_reply_chars: int = Field(
        20_000, ge=1, description="characters of one reply, with its calls"
    )


class RealtimeSettings(BaseModel, extra="forbid", frozen=True):
    """Of `ws /v1/realtime`, which is served where `hearing:` is set."""

    llm: LanguageModelSettings | None = Field(
        None, description="null: a session repeats what it has heard, and says so"
    )
    instructions: str = Field(
        "You are a voice assistant. Answer in one to three short sentences, as one speaks.",
        max_length=100_000,
        description="of a session whose client gives none",
    )
    max_behind_s: float = Field(
        10.0, gt=0, description="sound that a client may send ahead of the clock"
    )
    max_frame_bytes: int = Field(
        1024 * 1024, ge=65_536, description="bytes of one event of the client"
    )
    transcript_s: float = Field(
        15.0, gt=0, description="from the end of an utterance to its transcript"
    )
    idle_s: float = Field(
        3600.0, gt=0, description="seconds without speech of either side; then the socket is closed"
    )
    session_s: float = Field(
        7200.0, gt=0, description="seconds after which a session is closed, whatever it does"
    )
