"""The settings of T3's engine, and of the rules that end its segments. app.config reads them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GuardSettings(_Frozen):
    """Rules that end a segment, or keep it going, besides the model's own stop token."""

    least_tokens: int = Field(
        5, ge=0, le=25, description="a segment cannot stop before this number of tokens; 0: off"
    )
    most_tokens: int = Field(
        100,
        ge=1,
        description="a segment has at most this number of tokens, plus most_per_text_token",
    )
    most_per_text_token: float | None = Field(
        20.0, gt=0, description="added to most_tokens for each token of text; null: no bound"
    )
    loop_tokens: int | None = Field(
        75, ge=25, description="this number of tokens in a repeated cycle ends a segment; null: off"
    )
    tail_tokens: int | None = Field(
        None,
        ge=10,
        description="this number of tokens after the last word ends a segment as babble; null: the "
        "tail is only counted",
    )
    still_tokens: int | None = Field(
        None,
        ge=10,
        description="this number of tokens in which the text goes no further, before its end, ends "
        "a segment as babble; null: off",
    )
    fallen_tokens: int | None = Field(
        None,
        ge=1,
        description="this number of tokens that lie three or more ids of text behind the farthest, "
        "as in a repetition, ends a segment as babble; null: they are only counted",
    )
    jumped_tokens: int | None = Field(
        None,
        ge=1,
        description="this number of tokens at which the text has gone on by nine ids or more in "
        "three tokens, as in a skip, ends a segment as babble; null: they are only counted",
    )
    loop_cycle: int = Field(8, ge=1, le=12, description="tokens in the longest cycle to look for")


class T3Settings(_Frozen):
    slots: int = Field(
        16,
        ge=1,
        le=1024,
        description="sequences that run at the same time; one of a stream holds its slot while the "
        "stream plays",
    )
    dtype: Precision = Field(
        "auto",
        description="auto: bfloat16 on cuda, float32 on cpu; int8: on a cpu, the linear "
        "weights in a quarter of their memory, and float32 for all else",
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="threads that compute, on a CPU; null: the whole CPUs of t3_cpus, at least one",
    )
    first_group: int = Field(
        3,  # with groups of 13, messages end at 16 and 42: the vocoder's first cells can run then
        ge=1,
        le=25,
        description="tokens in a segment's first message",
    )
    group: int = Field(13, ge=1, le=100, description="tokens in each later message")
    max_lead_s: float = Field(
        8.0, gt=0, description="seconds of audio that a sequence may be ahead while others wait"
    )
    start_lead_s: float = Field(
        0.3, ge=0, description="expected seconds from a segment's first tokens to their sound"
    )
    max_rows: int | None = Field(
        None, ge=2, description="rows that decode in one step; a CFG pair has two; null: all"
    )
    prefill_share: float = Field(
        1.0,
        ge=0.25,
        le=10,
        description="how much longer prefill may make the steps of others; 1: twice as long",
    )
    prefill_tokens: int = Field(
        1024, ge=2, description="prompt tokens, over all rows, in a step that delays nobody"
    )
    kv_gib: float | None = Field(
        None, gt=0, description="GiB for keys and values; null: room for 1000 tokens in every slot"
    )
    prefixes_kept: int = Field(
        16, ge=0, description="(voice, exaggeration) pairs whose computed prompts are kept"
    )
    runner: Literal["auto", "plain", "fast"] = Field(
        "auto",
        description="plain: step by step; fast: CUDA graphs, read one step late; auto: by device",
    )
    word_heads: Literal["auto", "off"] | tuple[tuple[int, int], ...] = Field(
        "auto",
        description="attention heads that tell when words are said, each [layer, head]; auto: "
        "found when the model is first loaded, and kept beside it; off: times are estimated",
    )
    word_offset_ms: float = Field(
        60.0,
        ge=-400,
        le=400,
        description="how long before its sound such a head looks at a word; where word_heads is a "
        "list, else it is measured",
    )
    guards: GuardSettings = GuardSettings()
