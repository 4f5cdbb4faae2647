"""A streaming zipformer CTC model without weights, in the files that sherpa-onnx reads: it says the
word "sound" once for each stretch of loud frames."""

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


def write_tiny_model(folder: Path) -> None:
    (folder / "tokens.txt").write_text("<blk> 0\n\N{LOWER ONE EIGHTH BLOCK}sound 1\n")
    onnx.save(_model(), str(folder / "model.onnx"))


def _model() -> onnx.ModelProto:
    floats, longs = TensorProto.FLOAT, TensorProto.INT64
    inputs = [helper.make_tensor_value_info("x", floats, ["N", CHUNK, NUM_MELS])]
    outputs = [helper.make_tensor_value_info("log_probs", floats, ["N", CHUNK, 2])]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["energy"], axes=[2], keepdims=1),
        helper.make_node("Sub", ["energy", "loud"], ["score"]),
        helper.make_node("Mul", ["score", "zero"], ["blank"]),
        helper.make_node("Concat", ["blank", "score"], ["scores"], axis=2),
        helper.make_node("LogSoftmax", ["scores"], ["log_probs"], axis=2),
    ]
    constants = [
        helper.make_tensor("loud", floats, [1], [LOUD]),
        helper.make_tensor("zero", floats, [1], [0.0]),
    ]
    states = [(name, floats, shape) for name, shape in SHAPES.items()]
    for name, kind, shape in [*states, ("processed_lens", longs, (1,))]:
        inputs.append(helper.make_tensor_value_info(name, kind, shape))
        outputs.append(helper.make_tensor_value_info(f"new_{name}", kind, shape))
        nodes.append(helper.make_node("Identity", [name], [f"new_{name}"]))
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, METADATA)
    return model
