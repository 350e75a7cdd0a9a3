"""Training with batch normalisation, dropout, noise, max-norm, distortion: what it comes to."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import chainrule.training.microbatches
from chainrule.core.arrays import Array
from chainrule.core.errors import DivergenceError
from chainrule.core.rng import fold_in
from chainrule.data.augment import Distortion
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS
from chainrule.optim.schedules import Schedule
from chainrule.training.train import Epoch, train

Settings = dict[str, Any]

SHAPE = (5, 4)
DISTORTION = Distortion(rotation=20.0, scaling=0.2, shear=10.0, shift=1.0, elastic=5.0)
LAYERS = ("batch_norm", "dropout", "input_dropout", "noise", "input_noise")
"""Settings of the network; all others are those of training."""

EACH: dict[str, Settings] = {
    "batch norm": {"batch_norm": True},
    "dropout": {"dropout": 0.3},
    "input dropout": {"input_dropout": 0.2},
    "noise": {"noise": 0.2},
    "input noise": {"input_noise": 0.1},
    "average": {"average": 0.9},
    "max-norm": {"max_weight_norm": 0.8},
    "distortion": {"distortion": DISTORTION, "shape": SHAPE},
}
ALL: Settings = {name: value for settings in EACH.values() for name, value in settings.items()}


def problem(
    *, rows: int = 44, dtype: Any = np.float64, **layers: Any
) -> tuple[Network, tuple[Array, Array]]:
    """(20 -> 8 -> 5 -> 3 with tanh, (X, y)), the same at each call."""
    rng = np.random.default_rng(4)
    network = Network.dense([20, 8, 5, 3], "tanh", rng=rng, dtype=dtype, **layers)
    X = rng.random((rows, 20)).astype(dtype)
    return network, (X, X[:, :3].argmax(axis=1))


def run(dtype: Any = np.float64, **settings: Any) -> tuple[Network, list[Epoch]]:
    layers = {name: settings.pop(name) for name in LAYERS if name in settings}
    network, examples = problem(dtype=dtype, **layers)
    settings = {"rng": np.random.default_rng(1), "batch_size": 8, "epochs": 3, **settings}
    return network, list(train(network, examples, **settings))


def torch_run(
    torch: ModuleType, share_rows: int, *, batch_size: int, epochs: int
) -> tuple[list[float], list[Array]]:
    """(the losses, [W of layer 1, gamma, mean and variance of layer 2]) of plain SGD in PyTorch.

    Each share of a batch is normalised alone; the statistics of a batch are the mean of theirs.
    """
    network, (images, labels) = problem(batch_norm=True)
    leaves = [
        [torch.tensor(each, requires_grad=True) for each in views]
        for views in (network.W, network.b, network.gamma)
    ]
    W, b, gamma = leaves
    layers = [torch.nn.BatchNorm1d(n, dtype=torch.float64) for n in network.widths[1:3]]
    optimizer, losses = torch.optim.SGD([*W, *b, *gamma[:2]], 0.1), []
    for epoch in range(1, epochs + 1):
        total = 0.0
        order = fold_in(np.random.default_rng(1), epoch).permutation(len(labels))
        for rows in np.split(order, range(batch_size, len(order), batch_size)):
            optimizer.zero_grad()
            seen: list[list[Any]] = [[], []]
            for share in np.split(rows, range(share_rows, len(rows), share_rows)):
                A = torch.tensor(images[share])
                for i in range(2):
                    U = A @ W[i]
                    seen[i].append(U.detach())
                    A = torch.tanh(
                        torch.nn.functional.batch_norm(
                            U, None, None, weight=gamma[i], bias=b[i], training=True
                        )
                    )
                loss = torch.nn.functional.cross_entropy(
                    A @ W[2] + b[2], torch.tensor(labels[share])
                )
                (loss * (len(share) / len(rows))).backward()
                total += loss.item() * len(share)
            optimizer.step()
            for layer, shares in zip(layers, seen, strict=True):
                running = layer.running_mean.clone(), layer.running_var.clone()
                mean, variance = torch.zeros(2, layer.num_features, dtype=torch.float64)
                for U in shares:
                    layer.running_mean, layer.running_var = (each.clone() for each in running)
                    layer(U)
                    mean += layer.running_mean / len(shares)
                    variance += layer.running_var / len(shares)
                layer.running_mean, layer.running_var = mean, variance
        losses.append(total / len(labels))
    second = layers[1].running_mean.numpy(), layers[1].running_var.numpy()
    return losses, [W[0].detach().numpy(), gamma[0].detach().numpy(), *second]


@pytest.mark.parametrize("share_rows", [256, 11])
@pytest.mark.parametrize("batch_size", [11, 22])
def test_three_epochs_with_batch_normalisation_have_the_losses_and_statistics_of_torch(
    torch: ModuleType, batch_size: int, share_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses, expected = torch_run(torch, share_rows, batch_size=batch_size, epochs=3)
    monkeypatch.setattr(chainrule.training.microbatches, "DRAWN_ROWS", share_rows)
    network, epochs = run(
        epochs=3, batch_size=batch_size, batch_norm=True, optimizer="sgd", learning_rate=0.1
    )
    assert [epoch.loss for epoch in epochs] == pytest.approx(losses, rel=1e-10)
    found = network.W[0], network.gamma[0], network.mean[1], network.variance[1]
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("rows", [44, 45, 50])
def test_the_running_statistics_come_to_those_of_all_examples(rows: int) -> None:
    network, (X, y) = problem(rows=rows, batch_norm=True)
    settings: Settings = {"learning_rate": Schedule(0.0), "batch_size": 11, "epochs": 100}
    list(train(network, (X, y), rng=np.random.default_rng(0), **settings))
    U = X @ network.W[0]
    np.testing.assert_allclose(network.mean[0], U.mean(axis=0), atol=0.1)
    ratio = network.variance[0] / U.var(axis=0, ddof=1)
    assert 0.9 < ratio.mean() < 1.1


def test_sums_whose_variance_overflows_stop_training() -> None:
    network, (X, y) = problem(dtype=np.float32, batch_norm=True)
    with pytest.raises(DivergenceError, match="the variance of a unit's sums"):
        list(train(network, (1e22 * X, y), rng=np.random.default_rng(0)))
    assert np.isfinite(network.state).all()


def test_a_run_of_a_few_steps_leaves_more_than_the_first_weights() -> None:
    network, _ = run(epochs=1, batch_size=22, average=0.9)
    assert not np.array_equal(network.parameters, problem()[0].parameters)


@pytest.mark.parametrize("name", EACH)
def test_each_of_these_settings_makes_a_difference(name: str) -> None:
    plain, changed = run()[0], run(**EACH[name])[0]
    assert all(
        not np.allclose(mine, other, rtol=1e-3)
        for mine, other in zip(plain.W, changed.W, strict=True)
    )


def test_the_examples_are_left_as_they_were() -> None:
    network, (images, labels) = problem(**{name: ALL[name] for name in LAYERS})
    before = images.tobytes()
    settings = {name: value for name, value in ALL.items() if name not in LAYERS}
    list(train(network, (images, labels), rng=np.random.default_rng(0), epochs=2, **settings))
    assert images.tobytes() == before


@pytest.mark.parametrize("penalty", ["l2", "weight decay"])
def test_weights_are_pulled_to_zero_and_gammas_and_biases_are_not(penalty: str) -> None:
    networks = []
    for strength in (0.0, 0.5):
        network, examples = problem(batch_norm=True)
        own = {"weight_decay": strength if penalty == "weight decay" else 0.0}
        optimizer = OPTIMIZERS["sgd"](
            network.parameters.size, np.float64, decayed=network.layout.weights_end, **own
        )
        settings: Settings = {"optimizer": optimizer, "learning_rate": 0.1, "batch_size": 44}
        settings["l2"] = strength if penalty == "l2" else 0.0
        list(train(network, examples, rng=np.random.default_rng(0), epochs=1, **settings))
        networks.append(network)
    (plain, pulled), first = networks, problem(batch_norm=True)[0]
    for mine, other, before in zip(plain.W, pulled.W, first.W, strict=True):
        np.testing.assert_allclose(mine - other, 0.1 * 0.5 * before, rtol=1e-10, atol=1e-15)
    for views, others in ((plain.b, pulled.b), (plain.gamma, pulled.gamma)):
        for mine, other in zip(views, others, strict=True):
            assert mine.tobytes() == other.tobytes()


def test_after_every_step_no_units_weights_are_longer_than_allowed() -> None:
    network, examples = problem(batch_norm=True)
    longest: list[float] = []

    def stop() -> bool:
        longest.append(max(np.linalg.norm(W, axis=0).max() for W in network.W))
        return False

    settings: Settings = {"max_weight_norm": 0.7, "learning_rate": 0.1, "batch_size": 11}
    list(train(network, examples, rng=np.random.default_rng(0), stop=stop, **settings))
    assert longest[0] > 1
    assert max(longest[1:]) <= 0.7 * (1 + 1e-12)
    assert min(longest[1:]) > 0.6


SENTENCE = "dropout, noise, distortion and batch normalisation need rng: give one"


@pytest.mark.parametrize("name", [name for name in EACH if name not in ("average", "max-norm")])
def test_what_draws_is_refused_without_a_generator(name: str) -> None:
    with pytest.raises(ValueError, match=SENTENCE):
        run(rng=None, **EACH[name])


def test_what_does_not_draw_needs_no_generator() -> None:
    assert run(rng=None, **EACH["average"], **EACH["max-norm"])[1]


def test_a_distortion_without_a_shape_is_refused() -> None:
    message = r"needs the shape of the images: give shape=\(height, width\)"
    with pytest.raises(ValueError, match=message):
        run(distortion=DISTORTION)


def test_a_distortion_of_nothing_is_none() -> None:
    assert run(distortion=Distortion())[0].state.tobytes() == run()[0].state.tobytes()
