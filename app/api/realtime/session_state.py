"""What the fields of a session mean to the parts of this server."""

from dataclasses import dataclass, replace
from typing import Any

from app.api.realtime.client_events import ResponseFields
from app.api.realtime.item_fields import item_of
from app.api.realtime.listener import Configured
from app.api.realtime.response import ResponseOrder
from app.api.realtime.session_fields import (
    AudioOutput,
    Choice,
    Format,
    FunctionTool,
    PcmFormat,
    SemanticVad,
    SessionFields,
)
from app.api.realtime.utterance import Manners
from app.api.services import Services
from app.api.speech_job import SpeechOptions
from app.api.speech_request import StreamOptionFields
from app.audio.formats import FormatName
from app.auth.api_keys import Caller
from app.conversation.items import Conversation, Item
from app.conversation.language_model import ReplyRequest, Tool, ToolChoice
from app.errors import BadRequest
from app.hearing.ears import SoundFormat, TurnDetection

TELEPHONE_RATE = 8000
# OpenAI's semantic turn detection waits for the end of a thought. Here it is a length of silence.
SILENCE_S = {"low": 1.2, "medium": 0.7, "auto": 0.7, "high": 0.4}


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session's fields with what they mean. `options`: how its replies are spoken."""

    fields: SessionFields
    options: SpeechOptions
    voice: str
    configured: Configured

    @property
    def manners(self) -> Manners:
        audio = self.fields.audio.input
        turns, heard_by = audio.turn_detection, self.configured.turns
        return Manners(
            responds=turns is not None and turns.create_response is not False,
            is_interruptible=turns is not None and turns.interrupt_response is not False,
            must_last=heard_by is not None and heard_by.lasting_s > 0,
            tells_text=audio.transcription is not None,
        )

    @property
    def bytes_per_s(self) -> int:
        """Of the client's sound."""
        sound = self.configured.sound
        return sound.sample_rate * (2 if sound.encoding == "s16le" else 1)


async def state_of(
    fields: SessionFields, services: Services, caller: Caller, turns: TurnDetection
) -> SessionState:
    """`turns`: the values that a client leaves out. Raises BadRequest, and NotFound for a voice."""
    options, voice = await _options(fields.audio.output, services, caller)
    sound = _sound_of(fields.audio.input.format)
    return SessionState(fields, options, voice, Configured(sound, _turns_of(fields, turns)))


async def _options(
    output: AudioOutput, services: Services, caller: Caller
) -> tuple[SpeechOptions, str]:
    name, rate = _output_format(output.format)
    spoken = StreamOptionFields(
        response_format=name,
        sample_rate=rate,
        speed=output.speed,
        strip_markdown=True,
        strip_emoji=True,
    )
    voice = output.voice or services.synthesizer.card().voices[0]
    if not isinstance(voice, str):
        voice = str(voice.get("id", ""))
    ref, kept = await services.pronunciations.of_speech(caller, voice)
    options = services.planner.options(
        spoken, ref, caller, default_format="pcm", kept=kept, is_part=True
    )
    return options, voice


def _output_format(given: Format) -> tuple[FormatName, int]:
    if isinstance(given, PcmFormat):
        return "pcm", given.rate
    return ("mulaw" if given.type == "audio/pcmu" else "alaw"), TELEPHONE_RATE


def _sound_of(given: Format) -> SoundFormat:
    if isinstance(given, PcmFormat):
        return SoundFormat("s16le", given.rate)
    return SoundFormat("mulaw" if given.type == "audio/pcmu" else "alaw", TELEPHONE_RATE)


def _turns_of(fields: SessionFields, default: TurnDetection) -> TurnDetection | None:
    given = fields.audio.input.turn_detection
    if given is None:
        return None
    if isinstance(given, SemanticVad):
        silence_s = SILENCE_S[given.eagerness or "auto"]
        return replace(default, silence_s=silence_s)
    prefix_ms, silence_ms = given.prefix_padding_ms, given.silence_duration_ms
    return replace(
        default,
        threshold=default.threshold if given.threshold is None else given.threshold,
        prefix_s=default.prefix_s if prefix_ms is None else prefix_ms / 1e3,
        silence_s=default.silence_s if silence_ms is None else silence_ms / 1e3,
    )


def order_of(
    state: SessionState,
    given: ResponseFields | None,
    *,
    instructions: str,
    conversation: Conversation,
    conversation_id: str,
) -> ResponseOrder:
    """`instructions`: where neither the session nor the response has any. Raises BadRequest."""
    session, given = state.fields, given or ResponseFields()
    modalities = given.output_modalities or session.output_modalities
    modality = "audio" if "audio" in modalities else "text"
    tools = session.tools if given.tools is None else given.tools
    choice = session.tool_choice if given.tool_choice is None else given.tool_choice
    most = session.max_output_tokens if given.max_output_tokens is None else given.max_output_tokens
    told = given.instructions or session.instructions or instructions
    request = ReplyRequest(
        told, (), tuple(map(_tool, tools)), _choice(choice), most if isinstance(most, int) else None
    )
    output = session.audio.output.model_dump(mode="json") | {"voice": state.voice}
    fields: dict[str, Any] = {
        "output_modalities": [modality],
        "max_output_tokens": most or "inf",
        "audio": {"output": output},
    }
    items = None if given.input is None else _items(given, conversation)
    is_kept = given.conversation == "auto"
    return ResponseOrder(
        request,
        items,
        given.metadata,
        "audio" if modality == "audio" else "text",
        fields,
        conversation_id if is_kept else None,
    )


def _items(given: ResponseFields, conversation: Conversation) -> list[Item]:
    items: list[Item] = []
    for each in given.input or ():
        if each.type == "item_reference":
            if not each.id:
                raise BadRequest("response.input: a reference needs an id", param="response.input")
            items.append(conversation.get(each.id, "item_reference_invalid_item_id"))
        else:
            items.append(item_of(each))
    return items


def _tool(given: FunctionTool) -> Tool:
    nothing: dict[str, object] = {"type": "object", "properties": {}}
    return Tool(given.name, given.description or "", given.parameters or nothing)


def _choice(given: Choice) -> ToolChoice:
    return given if isinstance(given, str) else {"type": "function", "name": given.name}
