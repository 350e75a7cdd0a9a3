"""Article 3, "Building a Neural Network using Numpy".

Each function on small arrays, then 2,000 iterations on 5,000 images. Arrays are as it prints them,
one example a column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from chainrule.articles.article import Ablation, Article, Break
from chainrule.articles.claims import OUTSIDE, Claim, exact
from chainrule.articles.running import Effort, Recorder, accuracy
from chainrule.data.dataset import Dataset
from chainrule.experiments.job import prepare
from chainrule.experiments.quirks import cross_entropy_of_probabilities
from chainrule.experiments.recipes import RECIPES
from chainrule.nn.dense import Dense
from chainrule.nn.network import Network, Workspace

LAYER_INPUT = "1 0 5 10 2  2 5 3 10 2"
LAYER_W = "10 5 2 0 1 0"
LAYER_B = "10 5 0"
"""Two inputs, three units, five examples."""
LAYER_FORWARD = """
    1.         1.         1.         1.         1.
    0.99908895 0.99330715 0.99999969 1.         0.99987661
    0.73105858 0.5        0.99330715 0.9999546  0.88079708
"""
NETWORK_FORWARD = """
    0.10106734 0.10045152 0.09927757 0.10216656 0.1
    0.10567625 0.10230873 0.10170271 0.11250099 0.1
    0.09824287 0.0992886  0.09967128 0.09609693 0.1
    0.10028288 0.10013048 0.09998149 0.10046076 0.1
    0.09883601 0.09953443 0.09931419 0.097355   0.1
    0.10668575 0.10270912 0.10180736 0.11483609 0.1
    0.09832513 0.09932275 0.09954792 0.09627089 0.1
    0.09747092 0.09896735 0.0995387  0.09447277 0.1
    0.09489069 0.09788255 0.09929998 0.08915178 0.1
    0.09852217 0.09940447 0.09985881 0.09668824 0.1
"""
"""[784, 3, 7, 10] on training images 10..19, the first five of them."""
LOSS_LABELS = "3 5 3 6 1"
LOSS = "0.8964600261334037"
LAYER_DX = """
    5.6417525  0.66855959 6.86974666 5.46611139 4.92177244
    2.17997451 0.12963116 2.74831239 2.17661196 2.10183901
"""
LAYER_DW = """
    1.67565336 1.56891359
    1.39137819 1.4143854
    1.3597389  1.43013369
"""
LAYER_DB = "0.37345476 0.34414727 0.29074635"
NETWORK_DW3 = """
     0.02003701  0.0019043   0.01011729  0.0145757   0.00146444  0.00059863  0.
     0.02154547  0.00203519  0.01085648  0.01567075  0.00156469  0.00060533  0.
    -0.01718407 -0.00273711 -0.00499101 -0.00912135 -0.00207365  0.00059996  0.
    -0.01141498 -0.00158622 -0.00607049 -0.00924709 -0.00119619  0.00060381  0.
     0.01943173  0.0018421   0.00984543  0.01416368  0.00141676  0.00059682  0.
     0.01045447  0.00063974  0.00637621  0.00863306  0.00050118  0.00060441  0.
    -0.06338911 -0.00747251 -0.0242169  -0.03835708 -0.00581131  0.0006034   0.
     0.01911373  0.001805    0.00703101  0.0120636   0.00138836 -0.00140535  0.
    -0.01801603  0.0017357  -0.01489228 -0.02026076  0.00133528  0.00060264  0.
     0.0194218   0.00183381  0.00594427  0.01187949  0.00141043 -0.00340965  0.
"""
NETWORK_DB3 = """
    0.10031756 0.00460183 -0.00142942 -0.0997827 0.09872663
    0.00536378 -0.10124784 -0.00191121 -0.00359044 -0.00104818
"""
NETWORK_DW2 = """
     4.94428956e-05  1.13215514e-02  5.44180380e-02
    -4.81267081e-05 -2.96999448e-05 -1.81899582e-02
     5.63424333e-05  4.77190073e-03  4.04810232e-02
     1.49767478e-04 -1.89780927e-03 -7.91231369e-03
     1.97866094e-04  1.22107085e-04  2.64140566e-02
     0.00000000e+00 -3.75805770e-04  1.63906102e-05
     0.00000000e+00  0.00000000e+00  0.00000000e+00
"""
NETWORK_DB2 = "0.013979 -0.01329383 0.01275707 -0.01052957 0.03179224 -0.00039877 0."
ACCURACY = {"train": 88, "test": 87}
""""~ 88 %" on its 5,000 training images, "~87 %" on test."""


def claims(data: Dataset, effort: Effort, recorder: Recorder) -> Iterator[Claim]:
    """Claims on each function with small arrays, then on the accuracy of the whole training."""
    yield from _one_layer()
    settings = RECIPES["relu-45"]
    small = replace(settings, layers=(784, 3, 7, 10), examples=20)
    job = prepare(small, data)
    X, y = (part[10:20] for part in job.train)
    workspace = Workspace(job.network, 10)
    _, dlogits = job.loss(job.network.forward(X, workspace), y)
    job.network.backward(dlogits, workspace)
    forward = job.network.predict_proba(X)[:5].T
    yield exact("forward [784, 3, 7, 10], five images", NETWORK_FORWARD, forward)
    yield exact("backward, dW3", NETWORK_DW3, workspace.dW[2].T)
    yield exact("backward, db3", NETWORK_DB3, workspace.db[2])
    yield exact("backward, dW2", NETWORK_DW2, workspace.dW[1].T)
    yield exact("backward, db2", NETWORK_DB2, workspace.db[1])
    if effort.quick:
        # Nothing to compare with, but a curve to look at.
        recorder.train("quick, 20 iterations", replace(settings, epochs=20), data)
        return
    recorder.plan(settings, data)
    job = recorder.train(f"seed {settings.seed}", settings, data)
    for part, stated in ACCURACY.items():
        measured = accuracy(job, part)
        yield Claim(
            f"accuracy % on {part}", f"~{stated}", f"{measured:.2f}",
            "within" if round(measured) == stated else OUTSIDE,
            "the article states neither rate nor iterations; here 0.0075 and 2,000",
        )  # fmt: skip


def _one_layer() -> Iterator[Claim]:
    """Claims on a single layer of three units: forward, loss, backward."""
    X = np.array(LAYER_INPUT.split(), float).reshape(2, 5).T
    network = Network([Dense(2, 2), Dense(2, 3, "sigmoid")], np.float64)
    network.W[0][...] = np.eye(2)
    network.W[1][...] = np.array(LAYER_W.split(), float).reshape(3, 2).T
    network.b[1][...] = np.array(LAYER_B.split(), float)
    A = network.forward(X, Workspace(network, 5))
    yield exact("one sigmoid layer, forward (3 x 5)", LAYER_FORWARD, A.T)

    probabilities = np.random.RandomState(2).rand(10, 5).T
    labels = np.array(LOSS_LABELS.split(), int)
    loss = np.array(cross_entropy_of_probabilities(probabilities, labels))
    yield exact("cross-entropy of given probabilities", LOSS, loss)

    # The identity layer in front passes its input through, so its dA is the layer's dX.
    relu = Network([Dense(2, 2), Dense(2, 3, "relu")], np.float64)
    relu.parameters[...] = network.parameters
    workspace = Workspace(relu, 5)
    relu.forward(X, workspace)
    relu.backward(np.random.RandomState(2).rand(3, 5).T / 5, workspace)
    yield exact("one ReLU layer, dX", LAYER_DX, 5 * workspace.dA[0].T)
    yield exact("one ReLU layer, dW", LAYER_DW, workspace.dW[1].T)
    yield exact("one ReLU layer, db", LAYER_DB, workspace.db[1])


ARTICLE = Article(
    number=3,
    recipe="relu-45",
    title="Building a Neural Network using Numpy",
    claims=claims,
    ablations={
        "divided-by-256": Ablation("pixels over 256", {"pixel_divisor": 255}),
        "narrow-weights": Ablation("0.1 N(0, 1) weights", {"draw": "he-normal"}),
        "low-learning-rate": Ablation("a rate of 0.0075", {"learning_rate": 0.1}),
    },
    breaks=(
        Break(
            "--learning-rate 10 --epochs 100",
            "the first steps push about 40 of the 45 ReLU units below 0 for every image, where no "
            "gradient reaches them: the network guesses",
            at_most=20.0,
        ),
        Break(
            "--layers 784,45,45,45,45,45,10 --activation sigmoid --epochs 100",
            "the gradient shrinks in each sigmoid layer: the loss stays at 2.3, as for guessing",
            at_most=20.0,
        ),
        Break(
            "--l2 10000 --epochs 100",
            "rate times penalty is 75, above 2: each step makes the weights 74 times as large; the "
            "loss is infinite after 81 steps, exit code 1",
        ),
    ),
)
