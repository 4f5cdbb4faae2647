"""How a call is heard: the detector of voice, the recogniser and its host. app.config has them as
`hearing:`. Imports nothing of the program."""

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

DetectorName = Literal["silero", "webrtc"]
RecogniserName = Literal["pocketsphinx", "sherpa-onnx"]
HostName = Literal["subprocess", "sidecar"]


class VoiceActivitySettings(BaseModel, extra="forbid", frozen=True):
    """A frame is 32 ms with silero, 20 ms with webrtc."""

    detector: DetectorName = Field(
        "silero", description="silero: a small network; webrtc: lighter, and noise often passes it"
    )
    threshold: float = Field(
        0.5, gt=0, lt=1, description="probability of voice at which a frame counts as voiced"
    )
    num_voiced: int = Field(
        3, ge=1, description="voiced frames among the last num_frames at which speech has begun"
    )
    num_frames: int = Field(4, ge=1, le=100, description="frames among which those are counted")
    silence_s: float = Field(0.5, gt=0, le=10, description="silence after which speech has ended")
    interrupt_s: float = Field(
        0.0,
        ge=0,
        le=5,
        description="a voice that interrupts an answer has gone on for this time; a shorter one is "
        "not told and not answered; 0: any voice interrupts",
    )
    prefix_s: float = Field(
        0.3, ge=0, le=5, description="sound before the beginning that the recogniser hears, too"
    )

    @model_validator(mode="after")
    def _can_trigger(self) -> Self:
        if self.num_voiced > self.num_frames:
            raise ValueError(f"num_voiced is at most num_frames, {self.num_frames}")
        return self


class HearingSettings(BaseModel, extra="forbid", frozen=True):
    voice_activity: VoiceActivitySettings = VoiceActivitySettings()
    recogniser: RecogniserName = Field(
        "pocketsphinx",
        description="pocketsphinx: English, its model is embedded; sherpa-onnx: a streaming model "
        "of your own, in the folder recogniser_model",
    )
    recogniser_model: str | None = Field(
        None, description="a local folder with the files of the recogniser's model"
    )
    host: HostName = Field(
        "subprocess",
        description="subprocess: recognisers run in processes of this server; sidecar: in a "
        "server of their own, at sidecar_url",
    )
    sidecar_url: str | None = Field(None, description="of the sidecar: ws://127.0.0.1:8765")
    python: str | None = Field(
        None, description="another interpreter for the recogniser's processes"
    )
    num_recognisers: int = Field(
        4, ge=1, description="calls that are recognised at the same time by one replica"
    )
    num_warm: int = Field(
        1, ge=0, description="recognisers that are kept ready for calls that have not begun"
    )
    max_lag_s: float = Field(
        5.0,
        gt=0,
        description="sound that may wait for the recogniser; with more an utterance fails",
    )
    max_utterance_s: float = Field(
        120.0, gt=1, description="a longer speech is heard as several; without turns it fails"
    )
    hang_s: float = Field(
        3.0, gt=0, description="a recogniser that makes no progress for this time is replaced"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.host == "sidecar" and self.sidecar_url is None:
            raise ValueError("the host sidecar needs sidecar_url")
        is_local = self.host == "subprocess"
        if is_local and self.recogniser == "sherpa-onnx" and self.recogniser_model is None:
            raise ValueError("the recogniser sherpa-onnx needs recogniser_model")
        return self
