"""Configuration, parsed and checked once, frozen afterwards. The only reader of environment
variables. `ServeArgs` is what stands under `args:` in serve_config.yaml; an unknown key is an
error that names it."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from app.errors import ConfigError

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]
ContextPolicy = Literal["full", "window", "chunked"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GuardSettings(_Frozen):
    """What ends or holds a segment beside the model's own stop token."""

    least_tokens: int = Field(
        5, ge=0, le=25, description="no segment stops before so many tokens; 0: off"
    )
    most_tokens: int = Field(
        100, ge=1, description="no segment is longer than this and what its text adds"
    )
    most_per_text_token: float | None = Field(
        20.0, gt=0, description="what each token of text adds to most_tokens; null: no bound"
    )
    loop_tokens: int | None = Field(
        75, ge=25, description="so many tokens of one repeated cycle end a segment; null: off"
    )
    loop_cycle: int = Field(8, ge=1, le=12, description="tokens in the longest cycle looked for")


class T3Settings(_Frozen):
    slots: int = Field(8, ge=1, le=1024, description="sequences that may be live at once")
    dtype: Precision = Field("auto", description="auto: bfloat16 on cuda, float32 on cpu")
    first_group: int = Field(
        3,  # with groups of 13: messages end at 16 and 42, where the vocoder's first cells can run
        ge=1,
        le=25,
        description="tokens in a segment's first message",
    )
    group: int = Field(13, ge=1, le=100, description="tokens in each later message")
    max_lead_s: float = Field(
        8.0, gt=0, description="audio seconds a sequence may run ahead while others wait"
    )
    start_lead_s: float = Field(
        0.3, ge=0, description="from a segment's first tokens to the first sound of them"
    )
    max_rows: int | None = Field(
        None, ge=2, description="rows that decode in one step, two per CFG pair; null: all"
    )
    prefill_share: float = Field(
        1.0, ge=0.25, le=10, description="how much longer prompts may make the steps of others"
    )
    prefill_tokens: int = Field(
        1024, ge=2, description="prompt tokens, over its rows, in a step that delays nobody"
    )
    kv_gib: float | None = Field(
        None, gt=0, description="of keys and values; null: a segment of 1000 tokens per slot"
    )
    prefixes_kept: int = Field(
        16, ge=0, description="(voice, exaggeration) pairs whose computed prompts are kept"
    )
    runner: Literal["auto", "plain", "fast"] = Field(
        "auto",
        description="plain: step by step; fast: captured steps, read one late; auto: by device",
    )
    guards: GuardSettings = GuardSettings()


class VocoderSettings(_Frozen):
    slots: int = Field(16, ge=1, le=1024, description="segments that may be live at once")
    policy: ContextPolicy | None = Field(
        None,
        description="full: whole prefix each cell; window: prompt + left context, computed anew "
        "each cell; chunked: the same, remembered; null: chunked where the model is as "
        "good so, else window",
    )
    prompt_s: float = Field(3.0, gt=0, le=10, description="seconds of voice prompt kept; not full")
    left_tokens: int = Field(25, ge=0, le=250, description="tokens of left context; not full")
    voices_kept: int = Field(
        8,
        ge=1,
        description="chunked: voices whose computed prompts are kept, 70 MB each for turbo, "
        "690 MB with ten guided steps",
    )
    max_rows: int | None = Field(
        None, ge=1, description="cells in one call; null: 8 on a GPU, 1 on a CPU"
    )
    first_cell: int = Field(13, ge=6, le=100, description="tokens in the first cell")
    cell_growth: float = Field(2.0, ge=1, le=4, description="each cell is this much longer")
    max_cell: int = Field(50, ge=6, le=250, description="tokens in the longest cell")
    halo_frames: int = Field(10, ge=4, le=30, description="mel frames HiFT sees past each border")
    euler_steps: int | None = Field(None, ge=1, le=50, description="null: the model's own")


class Limits(_Frozen):
    max_text_chars: int = Field(4096, ge=1, le=100_000)
    max_segment_chars: int = Field(280, ge=40, le=1000)
    request_timeout_s: float = Field(600.0, gt=0)
    first_audio_s: float = Field(
        25.0,
        gt=0,
        description="what is not heard within this is refused with 503; "
        "preparing a recorded voice does not count",
    )
    step_timeout_s: float = Field(
        120.0, gt=0, description="a step of an engine that takes longer hangs: its replica is ended"
    )
    remember_s: float = Field(300.0, gt=0, description="how long a finished id stays taken")
    send_ahead_s: float | None = Field(
        3.0, ge=1, description="of a stream's sound, sent before it is due; null: all there is"
    )

    @property
    def live_s(self) -> float:
        """An id whose ingress died is free again after this: no session outlives it."""
        return self.request_timeout_s + 60.0


class SocketLimits(_Frozen):
    """Of one WebSocket."""

    max_contexts: int = Field(8, ge=1, le=64, description="that are open at once")
    max_frame_bytes: int = Field(65_536, ge=1024)
    max_held_chars: int = Field(
        4096, ge=1, description="of a context's text that has not been spoken yet"
    )
    max_faults: int = Field(20, ge=1, description="wrong messages; one more closes the socket")
    idle_s: float = Field(60.0, gt=0, description="without a message while nothing is spoken")


class Role(StrEnum):
    SPEAK = "speak"  # speech, cancels of the tenant's own sessions, lists
    VOICES = "voices"  # voices are made, renamed and deleted
    ADMIN = "admin"  # models are loaded and unloaded, everything is stopped


class Quota(_Frozen):
    """Of one key; null is without limit."""

    max_concurrent: int | None = Field(None, ge=1, description="sessions at once")
    requests_per_minute: int | None = Field(None, ge=1)
    audio_s_per_day: float | None = Field(None, gt=0, description="in a day of UTC")
    max_text_chars: int | None = Field(None, ge=1, description="of one text")
    max_tokens: int | None = Field(None, ge=1, description="speech tokens of one segment")
    max_sockets: int | None = Field(None, ge=1, description="open at once, at one ingress")
    max_uploads: int | None = Field(
        None, ge=1, description="recordings that are made voices at once, at one ingress"
    )
    max_voices: int | None = Field(None, ge=0, description="kept by its tenant")

    @property
    def is_limited(self) -> bool:
        """Whether anything must be counted over all ingresses."""
        counted = (self.max_concurrent, self.requests_per_minute, self.audio_s_per_day)
        return any(limit is not None for limit in counted)


class KeySettings(_Frozen):
    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="for logs; never the key")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the key")
    tenant: str = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    roles: tuple[Role, ...] = (Role.SPEAK,)
    quota: Quota = Quota()


class AccessSettings(_Frozen):
    keys_file: str | None = Field(
        None, description="YAML list of keys; null: the environment's CHATTERBOX_API_KEYS"
    )
    origins: tuple[str, ...] = Field(
        (), description="web pages that may call, as https://example.com; none by default"
    )


class ServeArgs(_Frozen):
    model: str = Field(
        "embedded",
        description="embedded, embedded-babble, embedded-turbo, english, turbo, multilingual, "
        "random-<family>, or a folder",
    )
    revision: str | None = Field(None, description="commit on the model hub; null: the pinned one")
    device: Device = "auto"
    voices: str | None = Field(
        None, description="folder or fsspec URL of reference wavs; each is a voice by its name"
    )
    voices_cache: str | None = Field(
        None, description="folder or URL for prepared voices; null: beside the recordings"
    )
    uploads: str | None = Field(
        None, description="folder or fsspec URL for the voices that callers make; null: none may"
    )
    voice_aliases: dict[str, str] = Field(
        {}, description="name: voice; OpenAI's names are dealt out over the voices otherwise"
    )
    t3: T3Settings = T3Settings()
    vocoder: VocoderSettings = VocoderSettings()
    limits: Limits = Limits()
    sockets: SocketLimits = SocketLimits()
    access: AccessSettings = AccessSettings()
    topology: Literal["split", "colocated"] = Field(
        "split",
        description="split: T3 and vocoder are processes of their own; colocated: one process has "
        "both, with the sum of their fractions, vocoder_replicas times",
    )
    t3_gpus: float = Field(0.4, ge=0, description="GPU fraction of a T3 replica, on cuda")
    vocoder_gpus: float = Field(0.4, ge=0, description="GPU fraction of a vocoder replica, on cuda")
    t3_cpus: float = Field(0.5, ge=0)
    vocoder_cpus: float = Field(0.5, ge=0)
    t3_replicas: int = Field(1, ge=1)
    vocoder_replicas: int = Field(1, ge=1)
    ingress_replicas: int = Field(1, ge=1)
    registry_shards: int = Field(1, ge=1, le=64, description="cancel registries, by session id")

    @model_validator(mode="after")
    def _one_number_where_colocated(self) -> "ServeArgs":
        if self.topology == "colocated" and self.t3_replicas != self.vocoder_replicas:
            raise ValueError("topology colocated: t3_replicas and vocoder_replicas must be equal")
        return self

    @model_validator(mode="after")
    def _cells_grow(self) -> "ServeArgs":
        if self.vocoder.max_cell < self.vocoder.first_cell:
            raise ValueError("vocoder.max_cell must not be smaller than vocoder.first_cell")
        return self


def hub_token() -> str | None:
    """The model hub's access token, if the operator set one (HF_TOKEN)."""
    return os.environ.get("HF_TOKEN") or None


def load_keys(access: AccessSettings) -> tuple[KeySettings, ...]:
    """The API keys, from the file or else from CHATTERBOX_API_KEYS, a list of the same form.
    None at all: the server speaks to its own machine alone. Raises ConfigError."""
    content, source = os.environ.get("CHATTERBOX_API_KEYS", ""), "CHATTERBOX_API_KEYS"
    if access.keys_file is not None:
        source = access.keys_file
        try:
            content = Path(source).read_text()
        except (OSError, UnicodeDecodeError) as fault:
            raise ConfigError(f"access.keys_file: cannot read {source}") from fault
    elif not content.strip():
        return ()
    try:
        keys = TypeAdapter(tuple[KeySettings, ...]).validate_python(yaml.safe_load(content))
    except ValidationError as fault:
        faults = fault.errors(include_url=False, include_input=False, include_context=False)
        told = (f"key {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in faults)
        raise ConfigError(f"{source}: {'; '.join(told)}") from None
    except yaml.YAMLError:
        raise ConfigError(f"{source} is not valid YAML") from None
    if not keys:
        raise ConfigError(f"{source} holds no key")
    return keys


def serves_through_haproxy() -> bool:
    """Ray Serve's HAProxy listens on every interface, whatever http_options.host says."""
    return os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1"


def client_key() -> str | None:
    """The API key that the command line's client sends, if its user set one."""
    return os.environ.get("CHATTERBOX_API_KEY") or None
