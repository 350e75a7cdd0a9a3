"""Each optimizer, step by step, beside its namesake in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from chainrule.core.arrays import Array
from chainrule.core.threads import ThreadTeam
from chainrule.optim.clipping import clip
from chainrule.optim.optimizers import (
    CHUNK,
    FLUSH_EVERY,
    OPTIMIZERS,
    SGD,
    Adam,
    RMSProp,
    chunks,
    flush,
)

SIZES = {"a few": 7, "chunks and a rest": 2 * CHUNK + 1001}
PRECISIONS = [(np.float64, 1e-12), (np.float32, 1e-6)]
RATE = 0.01

# name -> (torch, parameters) -> torch's optimizer with the same settings
TORCH: dict[str, Callable[[Any, Any], Any]] = {
    "sgd": lambda torch, p: torch.optim.SGD(p, RATE),
    "momentum": lambda torch, p: torch.optim.SGD(p, RATE, momentum=0.9),
    "nesterov": lambda torch, p: torch.optim.SGD(p, RATE, momentum=0.9, nesterov=True),
    "rmsprop": lambda torch, p: torch.optim.RMSprop(p, RATE),
    "adam": lambda torch, p: torch.optim.Adam(p, RATE),
    "adamw": lambda torch, p: torch.optim.AdamW(p, RATE, weight_decay=0.01),
}


def start(size: int, dtype: Any, steps: int = 12) -> tuple[Array, list[Array]]:
    """(parameters, the gradients of so many steps), of sizes from 1e-6 to 10.

    Beyond twelve steps every other parameter has a gradient in the first step alone.
    """
    rng = np.random.default_rng(size)
    scale = 10.0 ** rng.integers(-6, 2, size)
    gradients = [(scale * rng.normal(size=size)).astype(dtype) for _ in range(steps)]
    if steps > 12:
        for gradient in gradients[1:]:
            gradient[::2] = 0
    return rng.normal(size=size).astype(dtype), gradients


def torch_walk(
    torch: ModuleType, make: Callable[[Any, Any], Any], size: int, dtype: Any, steps: int = 12
) -> Array:
    """Where torch's optimizer has come to after so many steps."""
    parameters, gradients = start(size, dtype, steps)
    theirs = torch.tensor(parameters, requires_grad=True)
    optimizer = make(torch, [theirs])
    for gradient in gradients:
        theirs.grad = torch.tensor(gradient)
        optimizer.step()
    walked: Array = theirs.detach().numpy()
    return walked


def walk(optimizer: Any, size: int, dtype: Any, steps: int = 12) -> Array:
    """Where our optimizer has come to after so many steps."""
    parameters, gradients = start(size, dtype, steps)
    for gradient in gradients:
        before = gradient.tobytes()
        optimizer.step(parameters, gradient, RATE)
        assert gradient.tobytes() == before
    return parameters


def test_each_optimizer_has_an_oracle_here() -> None:
    assert list(TORCH) == list(OPTIMIZERS)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twelve_steps_end_where_torchs_do(
    torch: ModuleType, name: str, size: str, dtype: Any, tolerance: float
) -> None:
    ours = walk(OPTIMIZERS[name](SIZES[size], dtype), SIZES[size], dtype)
    theirs = torch_walk(torch, TORCH[name], SIZES[size], dtype)
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            Adam(7, np.float64, beta1=0.8, beta2=0.95, epsilon=1e-3, weight_decay=0.3),
            lambda torch, p: torch.optim.AdamW(
                p, RATE, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.3
            ),
        ),
        (
            RMSProp(7, np.float64, decay=0.8, epsilon=1e-3),
            lambda torch, p: torch.optim.RMSprop(p, RATE, alpha=0.8, eps=1e-3),
        ),
        (
            SGD(7, np.float64, momentum=0.5, nesterov=True),
            lambda torch, p: torch.optim.SGD(p, RATE, momentum=0.5, nesterov=True),
        ),
    ],
    ids=["adamw", "rmsprop", "nesterov"],
)
def test_the_settings_mean_what_they_mean_in_torch(
    torch: ModuleType, ours: Any, theirs: Callable[[Any, Any], Any]
) -> None:
    np.testing.assert_allclose(
        walk(ours, 7, np.float64), torch_walk(torch, theirs, 7, np.float64), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("decayed", [0, 3, CHUNK - 1, CHUNK, CHUNK + 5, 2 * CHUNK + 1001])
def test_only_the_first_entries_decay(torch: ModuleType, decayed: int) -> None:
    size = 2 * CHUNK + 1001
    parameters, gradients = start(size, np.float64)
    weights = torch.tensor(parameters[:decayed], requires_grad=True)
    biases = torch.tensor(parameters[decayed:], requires_grad=True)
    theirs = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.5}, {"params": biases, "weight_decay": 0.0}], RATE
    )
    ours = Adam(size, np.float64, weight_decay=0.5, decayed=decayed)
    for gradient in gradients[:3]:
        weights.grad = torch.tensor(gradient[:decayed])
        biases.grad = torch.tensor(gradient[decayed:])
        theirs.step()
        ours.step(parameters, gradient, RATE)
    expected = np.concatenate([weights.detach().numpy(), biases.detach().numpy()])
    np.testing.assert_allclose(parameters, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decay_shrinks_by_the_same_share_whatever_the_optimizer(name: str) -> None:
    # Decoupled decay: without a gradient, ten steps leave (1 - 0.1 * 0.5) ** 10 of a weight.
    parameters = np.ones(5)
    optimizer = OPTIMIZERS[name](5, np.float64, weight_decay=0.5, decayed=4)
    for _ in range(10):
        optimizer.step(parameters, np.zeros(5), 0.1)
    np.testing.assert_allclose(parameters, [0.5987369392383789] * 4 + [1.0], rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "slots"),
    [
        ("sgd", []),
        ("momentum", ["velocity"]),
        ("nesterov", ["velocity"]),
        ("rmsprop", ["squares"]),
        ("adam", ["m", "v"]),
        ("adamw", ["m", "v"]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_state_is_named_flat_vectors(name: str, slots: list[str], dtype: Any) -> None:
    optimizer = OPTIMIZERS[name](10, dtype)
    walk_of_ten = np.ones(10, dtype)
    optimizer.step(walk_of_ten, np.ones(10, dtype), RATE)
    assert list(optimizer.state) == slots
    assert all(vector.shape == (10,) for vector in optimizer.state.values())
    assert all(vector.dtype == dtype for vector in optimizer.state.values())
    assert all(vector.any() for vector in optimizer.state.values())
    assert optimizer.steps == 1


def test_plain_sgd_keeps_its_stateless_state_when_another_has_momentum() -> None:
    SGD(3, momentum=0.9)
    assert not SGD(3).state


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_state_and_steps_are_all_that_a_run_remembers(name: str) -> None:
    parameters, gradients = start(7, np.float64)
    whole, first, second = (OPTIMIZERS[name](7, np.float64) for _ in range(3))
    straight = parameters.copy()
    for gradient in gradients:
        whole.step(straight, gradient, RATE)
    for gradient in gradients[:6]:
        first.step(parameters, gradient, RATE)
    second.state, second.steps = first.state, first.steps
    for gradient in gradients[6:]:
        second.step(parameters, gradient, RATE)
    assert parameters.tobytes() == straight.tobytes()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_chunks_cover_a_vector_once_and_in_order(size: int) -> None:
    parts = [np.arange(size)[part] for part in chunks(size)]
    assert np.array_equal(np.concatenate([np.empty(0), *parts]), np.arange(size))
    assert all(0 < len(part) <= CHUNK for part in parts)


@pytest.mark.parametrize("length", [0.5, 0.999, 1.001, 10.0, 1e4])
def test_clipping_is_that_of_torch(torch: ModuleType, length: float) -> None:
    gradient = np.random.default_rng(2).normal(size=1000)
    gradient *= length / np.linalg.norm(gradient)
    theirs = torch.zeros(1000, dtype=torch.float64, requires_grad=True)
    theirs.grad = torch.tensor(gradient)
    norm = torch.nn.utils.clip_grad_norm_([theirs], 1.0).item()
    assert clip(gradient, 1.0) == pytest.approx(norm, rel=1e-12)
    # torch divides by the length + 1e-6.
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1.1e-6)
    assert np.linalg.norm(gradient) == pytest.approx(min(length, 1.0), rel=1e-12)


def test_a_short_gradient_keeps_its_bits() -> None:
    gradient = np.full(4, 0.1, np.float32)
    clip(gradient, 1.0)
    assert gradient.tobytes() == np.full(4, 0.1, np.float32).tobytes()


def test_a_gradient_of_zeros_stays_zero() -> None:
    gradient = np.zeros(4)
    assert clip(gradient, 1.0) == 0
    assert not gradient.any()


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_after_the_search_for_denormals_parameters_still_are_where_torchs_are(
    torch: ModuleType, name: str, dtype: Any, tolerance: float
) -> None:
    steps = 2 * FLUSH_EVERY + 20
    ours = walk(OPTIMIZERS[name](1001, dtype), 1001, dtype, steps)
    theirs = torch_walk(torch, TORCH[name], 1001, dtype, steps)
    # A rounding a step, in theirs as in ours.
    np.testing.assert_allclose(ours, theirs, rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("slot", ["momentum velocity", "rmsprop squares", "adam m", "adam v"])
def test_moments_that_became_denormal_are_zero_after_fifty_steps(slot: str) -> None:
    name, state = slot.split()
    optimizer = OPTIMIZERS[name](CHUNK + 3, np.float32)
    parameters, gradient = np.ones((2, CHUNK + 3), np.float32)
    gradient[...] = 0
    denormal = np.finfo(np.float32).smallest_subnormal
    for _ in range(FLUSH_EVERY - 1):
        # Steps round it up to itself; here it need not fade for a thousand of them first.
        optimizer.state[state][[0, CHUNK + 2]] = denormal
        optimizer.step(parameters, gradient, RATE)
    assert (optimizer.state[state][[0, CHUNK + 2]] == denormal).all()
    optimizer.step(parameters, gradient, RATE)
    assert not optimizer.state[state].any()


@pytest.mark.parametrize("name", ["momentum", "nesterov", "rmsprop", "adam", "adamw"])
def test_no_moment_stays_denormal_however_long_a_gradient_is_zero(name: str) -> None:
    optimizer = OPTIMIZERS[name](7, np.float32)
    parameters, gradient = np.ones(7, np.float32), np.logspace(-19, -25, 7, dtype=np.float32)
    for _ in range(8 * FLUSH_EVERY):
        optimizer.step(parameters, gradient, RATE)
        gradient = np.zeros(7, np.float32)
    moments = np.abs(np.concatenate([*optimizer.state.values()]))
    assert not ((moments > 0) & (moments < np.finfo(np.float32).tiny)).any()
    # 0.9 to the power of 400 is below 1e-18: a velocity or a mean of gradients is gone.
    for slot in {"velocity", "m"} & {*optimizer.state}:
        assert not optimizer.state[slot].any()


def test_flushing_touches_nothing_but_what_is_nearly_zero() -> None:
    gone = np.array([0, 1e-45, -1e-45, 1e-40, -1e-38, 1e-31, -9e-31], np.float32)
    kept = np.array([2e-30, -2e-30, 1e-20, -0.1, 1 / 3, 1e38, -np.inf, np.nan], np.float32)
    state = np.concatenate([gone, kept])
    flush(state, np.full_like(state, np.nan))
    assert not state[: len(gone)].any()
    assert state[len(gone) :].tobytes() == kept.tobytes()


@pytest.mark.parametrize("size", [7, 2 * CHUNK + 1001])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_team_comes_to_the_same_bits_as_one_worker(name: str, size: int) -> None:
    settings = {"weight_decay": 0.1, "decayed": size - 5}
    alone = OPTIMIZERS[name](size, np.float32, **settings)
    expected = walk(alone, size, np.float32).tobytes()
    for workers in (2, 3):
        shared = OPTIMIZERS[name](size, np.float32, **settings)
        parameters, gradients = start(size, np.float32)
        with ThreadTeam(workers) as team:
            for gradient in gradients:
                shared.step(parameters, gradient, RATE, team)
        assert parameters.tobytes() == expected
        for slot, state in alone.state.items():
            assert shared.state[slot].tobytes() == state.tobytes()
