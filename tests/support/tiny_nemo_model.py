"""Streaming models of NeMo without weights, in the files that sherpa-onnx reads. They say the word
"sound" where frames are loud: with CTC, once for each stretch of them."""

from pathlib import Path

import onnx
from onnx import helper

from tests.support.tiny_zipformer_model import FLOATS, LONGS, NEVER, NUM_MELS, save, tensor

LOUD = -6.0  # mean log-mel energy of a frame
CHUNK = 8  # feature frames of 10 ms that a step takes
HIDDEN = (1, 1, 2)  # a state of the prediction network: layers, streams, size
CACHES = {"last_channel": (1, 2, 4), "last_time": (1, 4, 2)}
INTS = onnx.TensorProto.INT32


def write_ctc(folder: Path, chunk: int = CHUNK) -> None:
    _write_tokens(folder)
    last = helper.make_node("LogSoftmax", ["scores"], ["log_probs"], axis=2)
    save(folder / "model.onnx", _scoring("log_probs", [last], chunk), _metadata(chunk))


def write_transducer(folder: Path) -> None:
    """Says the word once in an utterance: its decoder allows it only behind a blank."""
    _write_tokens(folder)
    last = helper.make_node("Transpose", ["scores"], ["outputs"], perm=[0, 2, 1])
    told = {"pred_rnn_layers": "1", "pred_hidden": "2", "normalize_type": "NA"}
    save(folder / "encoder.onnx", _scoring("outputs", [last], CHUNK), _metadata(CHUNK) | told)
    save(folder / "decoder.onnx", _decoder(), {})
    save(folder / "joiner.onnx", _joiner(), {})


def _write_tokens(folder: Path) -> None:
    (folder / "tokens.txt").write_text("\N{LOWER ONE EIGHTH BLOCK}sound 0\n<blk> 1\n")


def _metadata(chunk: int) -> dict[str, str]:
    told = {"window_size": chunk, "chunk_shift": chunk, "subsampling_factor": 1, "vocab_size": 1}
    for name, shape in CACHES.items():
        told |= {f"cache_{name}_dim{at}": size for at, size in enumerate(shape, 1)}
    return {"model_type": "EncDecCTCModelBPE"} | {key: str(value) for key, value in told.items()}


def _scoring(output: str, last: list[onnx.NodeProto], chunk: int) -> onnx.GraphProto:
    """`last` makes `output` of the `scores` of the word and of the blank, for each frame."""
    inputs = [tensor("audio_signal", FLOATS, [1, NUM_MELS, chunk]), tensor("length", LONGS, [1])]
    outputs = [tensor(output, FLOATS, None), tensor("encoded_lengths", LONGS, [1])]
    nodes = [
        helper.make_node("Transpose", ["audio_signal"], ["x"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["x"], ["energy"], axes=[2], keepdims=1),
        helper.make_node("Sub", ["energy", "loud"], ["score"]),
        helper.make_node("Mul", ["score", "zero"], ["blank"]),
        helper.make_node("Concat", ["score", "blank"], ["scores"], axis=2),
        *last,
        helper.make_node("Identity", ["length"], ["encoded_lengths"]),
    ]
    constants = [
        helper.make_tensor("loud", FLOATS, [1], [LOUD]),
        helper.make_tensor("zero", FLOATS, [1], [0.0]),
    ]
    states = [(f"cache_{name}", FLOATS, (1, *shape)) for name, shape in CACHES.items()]
    for name, kind, shape in [*states, ("cache_last_channel_len", LONGS, (1,))]:
        inputs.append(tensor(name, kind, shape))
        outputs.append(tensor(f"{name}_next", kind, shape))
        nodes.append(helper.make_node("Identity", [name], [f"{name}_next"]))
    return helper.make_graph(nodes, "scoring", inputs, outputs, constants)


def _decoder() -> onnx.GraphProto:
    """Of the last token alone: the word forbids another, a blank does not."""
    inputs = [tensor("targets", INTS, [1, 1]), tensor("target_length", INTS, [1])]
    outputs = [tensor("outputs", FLOATS, None), tensor("prednet_lengths", INTS, [1])]
    nodes = [
        helper.make_node("Gather", ["table", "targets"], ["rows"], axis=0),
        helper.make_node("Transpose", ["rows"], ["outputs"], perm=[0, 2, 1]),
        helper.make_node("Identity", ["target_length"], ["prednet_lengths"]),
    ]
    for name in ("states_1", "states_2"):
        inputs.append(tensor(name, FLOATS, HIDDEN))
        outputs.append(tensor(f"{name}_next", FLOATS, HIDDEN))
        nodes.append(helper.make_node("Identity", [name], [f"{name}_next"]))
    table = helper.make_tensor("table", FLOATS, [2, 2], [NEVER, 0.0, 0.0, 0.0])
    return helper.make_graph(nodes, "decoder", inputs, outputs, [table])


def _joiner() -> onnx.GraphProto:
    parts = [tensor(name, FLOATS, [1, 2, 1]) for name in ("encoder_outputs", "decoder_outputs")]
    node = helper.make_node("Add", [part.name for part in parts], ["logit"])
    return helper.make_graph([node], "joiner", parts, [tensor("logit", FLOATS, [1, 2, 1])])
