"""Fields of other servers' OpenAI route that clients send by default. They are accepted where they
change nothing here, so that a client of such a server works. A value that would have to change
something is refused by name, as every other unknown field is."""

from typing import Literal

from pydantic import BaseModel, Field


class OtherServersFields(BaseModel):
    user: str | None = Field(
        None, description="of OpenAI's other routes and of gateways; no effect, and not kept"
    )
    backend: str | None = Field(
        None, description="of LocalAI and LibreChat; no effect: one model is served"
    )
    non_streaming_mode: bool | None = Field(
        None, description="of vLLM-Omni; no effect: the whole text is read before it is spoken"
    )
    initial_codec_chunk_frames: int | None = Field(
        None, description="of vLLM-Omni; no effect: the server chooses the sizes of its chunks"
    )
    task_type: Literal["CustomVoice"] | None = Field(
        None, description="of vLLM-Omni; no effect: `voice` is a name"
    )
    word_timestamps: Literal[False] | None = Field(
        None, description="of vLLM-Omni; no effect: `timestamps` asks for the times of words"
    )
    return_timestamps: Literal[False] | None = Field(
        None, description="of Kokoro-FastAPI; no effect: `timestamps` asks for the times of words"
    )
    return_download_link: Literal[False] | None = Field(
        None, description="of Kokoro-FastAPI; no effect: the answer is the sound"
    )
    volume_multiplier: float | None = Field(
        None, ge=1, le=1, description="of Kokoro-FastAPI; no effect: 1 is the level as it is"
    )
    streaming_chunk_size: int | None = Field(
        None, description="of Chatterbox-TTS-API; no effect: a text is cut at its sentences"
    )
    streaming_strategy: str | None = Field(
        None, description="of Chatterbox-TTS-API; no effect: a text is cut at its sentences"
    )
    streaming_buffer_size: int | None = Field(
        None, description="of Chatterbox-TTS-API; no effect: `start` says how a stream begins"
    )
    streaming_quality: str | None = Field(
        None, description="of Chatterbox-TTS-API; no effect: a stream has the sound of a file"
    )
