"""PyTorch on the CPU: eager, and a whole training step under torch.compile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.speed.peers.weights import first_weights
from benchmarks.speed.work import Data, Task, Work, latency, seconds

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8

Tensor: TypeAlias = Any
"""A torch.Tensor: its methods are only partly typed."""
Step: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(images, targets) -> the batch's mean loss, the parameters being one step further on."""


def train(work: Work, data: Data, threads: int) -> Task:
    """Eager: one epoch over data.X; T5: ten iterations, seconds of one."""
    torch.set_num_threads(threads)
    model = _model(work)
    loss_of = _loss(work)
    # Adam on T3 with two threads: fused 4.3 ms a step, foreach 5.8, neither 6.5. SGD on T1 is the
    # other way round (0.64, 0.62, 0.57 ms), and in larger batches the three are equal.
    optimizer: torch.optim.Optimizer
    if work.optimizer == "adam":
        optimizer = torch.optim.Adam(
            model.parameters(), work.learning_rate, (BETA1, BETA2), EPSILON, fused=True
        )
    else:
        optimizer = torch.optim.SGD(model.parameters(), work.learning_rate, foreach=False)

    def step(X: Tensor, targets: Tensor) -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(X), targets)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return _training(work, data, model, step)


def train_compiled(work: Work, data: Data, threads: int) -> Task:
    """The same through torch.compile: forward, backward and update as one graph."""
    torch.set_num_threads(threads)
    model = _model(work)
    loss_of = _loss(work)
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    m = {name: torch.zeros_like(p) for name, p in parameters.items()}
    v = {name: torch.zeros_like(p) for name, p in parameters.items()}
    steps = torch.zeros(())
    rate = work.learning_rate

    def loss(parameters: dict[str, Tensor], X: Tensor, targets: Tensor) -> Tensor:
        return loss_of(torch.func.functional_call(model, parameters, (X,)), targets)

    # Microseconds a step on T1, one thread, eager 557: the model compiled 845, model and loss 702
    # (with max-autotune or reduce-overhead 618), the eager step as a whole 720 (it breaks at
    # backward), this function 262, with the C++ wrapper 226. max-autotune stays within 5 %.
    @torch.compile(dynamic=False, options={"cpp_wrapper": True})
    def step(X: Tensor, targets: Tensor) -> Tensor:
        gradient, value = torch.func.grad_and_value(loss)(parameters, X, targets)
        if work.optimizer == "sgd":
            for name, p in parameters.items():
                p.sub_(gradient[name], alpha=rate)
            return value
        steps.add_(1)
        root = torch.sqrt(1 - BETA2**steps)
        for name, p in parameters.items():
            m[name].lerp_(gradient[name], 1 - BETA1)
            v[name].mul_(BETA2).addcmul_(gradient[name], gradient[name], value=1 - BETA2)
            p.sub_(rate / (1 - BETA1**steps) * m[name] / (v[name].sqrt() / root + EPSILON))
        return value

    return _training(work, data, model, step)


def predict(work: Work, data: Data, threads: int) -> Task:
    """The probabilities of work.rows test images."""
    torch.set_num_threads(threads)
    model = _model(work)
    predictor = nn.Sequential(*model, nn.Softmax(dim=1)).eval()
    X = np.ascontiguousarray(data.X_test[: work.rows])

    def call() -> np.ndarray:
        probabilities: np.ndarray = predictor(torch.from_numpy(X)).numpy()
        return probabilities

    def run() -> float:
        # Once around all calls: entered at each, the mode costs 5 of 52 us.
        with torch.inference_mode():
            return latency(call) if work.rows == 1 else seconds(call)

    return Task(run, lambda: _accuracy(model, data))


def _model(work: Work) -> nn.Sequential:
    activation = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}[work.activation]
    layers: list[nn.Module] = []
    for W, b in first_weights(work):
        linear = nn.Linear(*W.shape)
        linear.load_state_dict({"weight": torch.tensor(W.T), "bias": torch.tensor(b)})
        layers += [linear, activation()]
    return nn.Sequential(*layers[:-1])


def _loss(work: Work) -> Callable[[Tensor, Tensor], Tensor]:
    if work.loss == "softmax-cross-entropy":
        return F.cross_entropy

    def sigmoid_cross_entropy(Z: Tensor, targets: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(Z, targets, reduction="sum") / len(Z)

    return sigmoid_cross_entropy


def _training(work: Work, data: Data, model: nn.Module, step: Step) -> Task:
    X: Tensor = torch.from_numpy(data.X)
    targets: Tensor = torch.from_numpy(data.y.astype(np.int64))
    if work.loss == "sigmoid-cross-entropy":
        targets = F.one_hot(targets, work.widths[-1]).float()
    size = work.batch_size or len(X)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        if not work.shuffle:
            yield from zip(X.split(size), targets.split(size), strict=True)
            return
        # As quick as gathering all images before the first step, and without a copy of them.
        order: Tensor = torch.randperm(len(X))
        for rows in order.split(size):
            yield X.index_select(0, rows), targets.index_select(0, rows)

    def epoch() -> Tensor:
        return torch.stack([step(*batch) for batch in batches()]).mean()

    times = 1 if work.batch_size else 10
    return Task(lambda: seconds(epoch, times), lambda: _accuracy(model, data))


def _accuracy(model: Any, data: Data) -> float:
    with torch.inference_mode():
        predicted = model(torch.from_numpy(data.X_test)).argmax(dim=1)
    return float(np.mean(predicted.numpy() == data.y_test))
