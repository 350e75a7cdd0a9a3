"""Fitting in one call, from what a notebook has at hand; the history shows itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.errors import ConfigError
from chainrule.core.rng import as_generator
from chainrule.data.dataset import Dataset
from chainrule.nn.network import Network

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6)).astype(np.float32)
Y = np.arange(90) % 3


def small(**more: Any) -> Network:
    return Network.dense([6, 5, 3], rng=0, **more)


def trained(data: Any, **more: Any) -> bytes:
    network = small()
    cr.fit(network, data, epochs=2, quiet=True, **more)
    return network.state.tobytes()


def test_fit_is_train_with_a_generator_of_the_seed() -> None:
    network = Network.dense([6, 5, 3], rng=np.random.default_rng(0))
    epochs = [*cr.train(network, (X, Y), rng=np.random.default_rng(3), epochs=2)]
    assert trained((X, Y), seed=3) == network.state.tobytes()
    twin = small()
    history = cr.fit(twin, (X, Y), epochs=2, seed=3, quiet=True)
    assert [epoch.loss for epoch in history] == [epoch.loss for epoch in epochs]
    assert len(history) == 2
    assert history[-1].epoch == 2
    assert [*cr.train(small(), (X, Y), rng=3, epochs=2)][-1].loss == history[-1].loss


def test_what_notebooks_have_at_hand_is_converted() -> None:
    expected = trained((X, Y))
    assert trained((X.astype(np.float64), Y.astype(float))) == expected
    assert trained((X.tolist(), Y.tolist())) == expected
    assert trained((np.asfortranarray(X), Y.astype(np.uint8))) == expected
    pd = pytest.importorskip("pandas")
    assert trained((pd.DataFrame(X), pd.Series(Y))) == expected


def test_a_data_set_gives_its_training_part(mnist: Dataset) -> None:
    network = Network.dense([784, 10], rng=0)
    history = cr.fit(network, mnist, epochs=1, quiet=True, batch_size=600)
    assert history.examples == 60_000
    assert history[0].step == 100


def test_values_are_fitted_by_the_loss_of_the_link() -> None:
    values = (X @ RNG.normal(size=(6, 2))).astype(np.float32)
    network = Network.dense([6, 2], rng=0, link="identity")
    history = cr.fit(network, (X, values.tolist()), epochs=100, learning_rate=0.05, quiet=True,
                     validation=(X, values))  # fmt: skip
    assert history[-1].validation_score > 0.9


WRONG: dict[str, tuple[Any, str]] = {
    "bytes": ((np.zeros((4, 6), np.uint8), Y[:4]), r"divide them, X / np\.float32\(255\)"),
    "words": ((np.full((4, 6), "a"), Y[:4]), "X holds words: give numbers; words become some by"),
    "words for labels": ((X[:3], ["a", "b", "c"]), "y holds words: give labels 0 .. 2"),
    "fractions for labels": ((X[:3], [0.5, 1, 2]), "labels are whole numbers; for values give"),
    "rows of different lengths": (([[1, 2], [3]], [0, 1]), "give rows of one length"),
    "one array": (X, "give a Dataset, "),
    "complex numbers": ((X.astype(complex), Y), "numbers of type complex128"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_converted_names_the_remedy(case: str) -> None:
    data, said = WRONG[case]
    with pytest.raises(ValueError, match=said):
        cr.fit(small(), data, quiet=True)


def test_an_interruption_leaves_the_epochs_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(epochs: Any, total: int, *, quiet: bool) -> Any:
        yield next(epochs)
        raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.notebook.fit.shown", interrupted)
    assert len(cr.fit(small(), (X, Y), epochs=9)) == 1


def test_progress_is_shown_unless_it_is_to_be_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    cr.fit(small(), (X, Y), epochs=2)
    assert "epoch 2/2" in capsys.readouterr().err
    cr.fit(small(), (X, Y), epochs=2, quiet=True)
    assert capsys.readouterr().err == ""


def test_a_history_is_a_table_a_frame_and_a_picture() -> None:
    history = cr.fit(small(), (X, Y), epochs=14, quiet=True, validation=(X[:30], Y[:30]))
    lines = repr(history).splitlines()
    assert lines[0].split() == ["epoch", "loss", "validation", "loss", "validation", "seconds"]
    assert len(lines) == 12
    assert lines[6].split() == ["..."] * 5
    html = history._repr_html_()
    assert html.count("<tr>") == 12
    assert f"<td>{history[0].loss:.4f}</td>" in html
    assert history.plot()._repr_png_().startswith(b"\x89PNG")
    pytest.importorskip("pandas")
    frame = history.frame()
    assert [*frame.index] == [*range(1, 15)]
    assert frame.loc[14, "loss"] == history[-1].loss


def test_a_history_without_validation_has_no_column_for_it() -> None:
    history = cr.fit(small(), (X, Y), epochs=1, quiet=True)
    assert repr(history).splitlines()[0].split() == ["epoch", "loss", "seconds"]


def test_networks_print_as_a_table() -> None:
    network = Network.dense(
        [6, 5, 4, 3], ["relu", "tanh"], rng=0, batch_norm=True, dropout=0.2, dtype=np.float64
    )
    text = str(network)
    assert text.splitlines()[0] == (
        f"6 -> 5 relu -> 4 tanh -> 3, softmax: {network.parameter_count} parameters, float64"
    )
    cells = [line.split() for line in text.splitlines()[3:]]
    assert [row[0] for row in cells] == ["1", "2", "3"]
    assert sum(int(row[-1]) for row in cells) == network.parameter_count
    assert "dropout 0.2, batch norm" in text
    assert repr(network).startswith("<Network 6 -> 5 relu")
    assert network._repr_html_().count("<tr>") == 4


def test_data_print_as_one_line(mnist: Dataset) -> None:
    assert repr(mnist) == (
        "<Dataset mnist: 60,000 images of 28 x 28 to train on, 10,000 to test on, 10 classes>"
    )
    assert repr(mnist.test) == "<Examples: 10,000 of 784 inputs, labels of 10 classes>"


def test_public_plots_are_there_and_show_themselves() -> None:
    for name in cr.plots.__all__:
        assert callable(getattr(cr.plots, name))
    with pytest.raises(AttributeError, match="no attribute 'curve'"):
        cr.plots.__getattr__("curve")
    figure = cr.plots.confusion(np.eye(3, dtype=int), ["a", "b", "c"])
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("rng", ["0", -1, 1.5, True, np.random.RandomState(0)])
def test_a_seed_that_is_none_is_refused(rng: object) -> None:
    with pytest.raises(ConfigError, match="give a seed, 0 or more, or a generator"):
        as_generator(rng)
