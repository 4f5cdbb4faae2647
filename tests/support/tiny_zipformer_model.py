"""Streaming zipformers without weights, in the files that sherpa-onnx reads. They say the word
"sound" where frames are loud: with CTC, once for each stretch of them."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

CHUNK = 8  # feature frames of 10 ms that a step takes
LOUD = -6.0  # mean log-mel energy of a frame
NUM_MELS = 80
SHAPES = {  # of the cached states of a model with one layer
    "cached_key_0": (2, 1, 4),
    "cached_nonlin_attn_0": (1, 1, 2, 3),
    "cached_val1_0": (2, 1, 4),
    "cached_val2_0": (2, 1, 4),
    "cached_conv1_0": (1, 4, 1),
    "cached_conv2_0": (1, 4, 1),
    "embed_states": (1, 128, 3, 19),
}
METADATA = {
    "model_type": "zipformer2",
    "encoder_dims": "4",
    "query_head_dims": "4",
    "value_head_dims": "4",
    "num_heads": "1",
    "num_encoder_layers": "1",
    "cnn_module_kernels": "3",
    "left_context_len": "2",
    "T": str(CHUNK),
    "decode_chunk_len": str(CHUNK),
}


FLOATS, LONGS = TensorProto.FLOAT, TensorProto.INT64
NEVER = -100.0
tensor = helper.make_tensor_value_info


def write_ctc(folder: Path) -> None:
    _write_tokens(folder)
    log_softmax = helper.make_node("LogSoftmax", ["scores"], ["log_probs"], axis=2)
    save(folder / "model.onnx", _scoring("log_probs", log_softmax), METADATA)


def write_transducer(folder: Path) -> None:
    """Says the word once in an utterance: its decoder allows it only behind a blank."""
    _write_tokens(folder)
    passing = helper.make_node("Identity", ["scores"], ["encoder_out"])
    save(folder / "encoder.onnx", _scoring("encoder_out", passing), METADATA)
    save(folder / "decoder.onnx", _decoder(), {"vocab_size": "2", "context_size": "2"})
    save(folder / "joiner.onnx", _joiner(), {"joiner_dim": "2"})


def _write_tokens(folder: Path) -> None:
    (folder / "tokens.txt").write_text("<blk> 0\n\N{LOWER ONE EIGHTH BLOCK}sound 1\n")


def save(path: Path, graph: onnx.GraphProto, metadata: dict[str, str]) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.save(model, str(path))


def _scoring(output: str, last: onnx.NodeProto) -> onnx.GraphProto:
    """`last` makes `output` of the `scores` of the blank and of the word, for each frame."""
    inputs = [tensor("x", FLOATS, ["N", CHUNK, NUM_MELS])]
    outputs = [tensor(output, FLOATS, ["N", CHUNK, 2])]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["energy"], axes=[2], keepdims=1),
        helper.make_node("Sub", ["energy", "loud"], ["score"]),
        helper.make_node("Mul", ["score", "zero"], ["blank"]),
        helper.make_node("Concat", ["blank", "score"], ["scores"], axis=2),
        last,
    ]
    constants = [
        helper.make_tensor("loud", FLOATS, [1], [LOUD]),
        helper.make_tensor("zero", FLOATS, [1], [0.0]),
    ]
    states = [(name, FLOATS, shape) for name, shape in SHAPES.items()]
    for name, kind, shape in [*states, ("processed_lens", LONGS, (1,))]:
        inputs.append(tensor(name, kind, shape))
        outputs.append(tensor(f"new_{name}", kind, shape))
        nodes.append(helper.make_node("Identity", [name], [f"new_{name}"]))
    return helper.make_graph(nodes, "scoring", inputs, outputs, constants)


def _decoder() -> onnx.GraphProto:
    nodes = [
        helper.make_node("Cast", ["y"], ["tokens"], to=FLOATS),
        helper.make_node("MatMul", ["tokens", "weights"], ["decoder_out"]),
    ]
    weights = helper.make_tensor("weights", FLOATS, [2, 2], [0.0, 0.0, 0.0, NEVER])
    inputs, outputs = tensor("y", LONGS, ["N", 2]), tensor("decoder_out", FLOATS, ["N", 2])
    return helper.make_graph(nodes, "decoder", [inputs], [outputs], [weights])


def _joiner() -> onnx.GraphProto:
    parts = [tensor(name, FLOATS, ["N", 2]) for name in ("encoder_out", "decoder_out")]
    node = helper.make_node("Add", ["encoder_out", "decoder_out"], ["logit"])
    return helper.make_graph([node], "joiner", parts, [tensor("logit", FLOATS, ["N", 2])])
