"""ONNX Runtime on a graph of Gemm, Sigmoid or Relu, and Softmax nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.speed.peers.weights import first_weights
from benchmarks.speed.work import Data, Task, Work, latency, seconds

OPSET = 21
"""Known to each onnxruntime since 1.18, as is IR_VERSION."""
IR_VERSION = 10


def predict(work: Work, data: Data, threads: int) -> Task:
    """The probabilities of work.rows test images."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(
        _graph(work), options, providers=["CPUExecutionProvider"]
    )
    X = np.ascontiguousarray(data.X_test[: work.rows])
    P = np.empty((len(X), work.widths[-1]), np.float32)
    # An output bound once and an input bound at each call: 12.5 us an image, session.run 14.3.
    binding = session.io_binding()
    binding.bind_output("P", "cpu", 0, P.dtype, P.shape, P.ctypes.data)

    def call() -> np.ndarray:
        binding.bind_cpu_input("X", X)
        session.run_with_iobinding(binding)
        return P

    def accuracy() -> float:
        (every,) = session.run(["P"], {"X": data.X_test})
        return float(np.mean(np.argmax(every, axis=1) == data.y_test))

    clock = latency if work.rows == 1 else seconds
    return Task(lambda: clock(call), accuracy)


def _graph(work: Work) -> Any:
    """The network as the bytes of an ONNX model: X (N, pixels) -> P (N, classes)."""
    nodes, constants, A = [], [], "X"
    for layer, (W, b) in enumerate(first_weights(work), 1):
        Z = f"Z{layer}"
        constants += [numpy_helper.from_array(W, f"W{layer}")]
        constants += [numpy_helper.from_array(b, f"b{layer}")]
        nodes.append(helper.make_node("Gemm", [A, f"W{layer}", f"b{layer}"], [Z]))
        if layer < len(work.widths) - 1:
            A = f"A{layer}"
            nodes.append(helper.make_node(work.activation.capitalize(), [Z], [A]))
        else:
            nodes.append(helper.make_node("Softmax", [Z], ["P"], axis=1))
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", work.widths[0]])],
        [helper.make_tensor_value_info("P", TensorProto.FLOAT, ["N", work.widths[-1]])],
        constants,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    return model.SerializeToString()
