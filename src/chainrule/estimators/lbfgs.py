"""Fitting by L-BFGS: SciPy's minimiser on the loss and the gradient of all examples at once.

Liu and Nocedal 1989; SciPy's L-BFGS-B is Zhu et al. 1997.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from chainrule.core.arrays import Float
from chainrule.data.batches import ExampleArrays
from chainrule.estimators.parameters import Parameters, smoothing_of_labels
from chainrule.estimators.verbose import say
from chainrule.training.objective import objective


def fit_lbfgs(estimator: Parameters, examples: ExampleArrays) -> None:
    """Moves the network's parameters to a minimum, in at most max_iter iterations."""
    e, learned = estimator, estimator._learned
    network = learned.network
    weight = float(examples[2].sum()) if len(examples) == 3 else len(examples[1])
    l2 = e.alpha / weight
    ignored = np.errstate(over="ignore", invalid="ignore", divide="ignore")
    smoothing = smoothing_of_labels(e, examples[1])
    with (
        objective(
            network, examples, loss=learned.loss, l2=l2, label_smoothing=smoothing
        ) as value_and_gradient,
        ignored,
    ):

        def at(parameters: Float[np.ndarray, " P"]) -> tuple[float, Float[np.ndarray, " P"]]:
            network.parameters[...] = parameters
            value, gradient = value_and_gradient()
            return value, gradient.astype(np.float64)

        def told(intermediate_result: object) -> None:
            e.n_iter_ += 1
            say(e, f"Iteration {e.n_iter_}, loss = {intermediate_result.fun:.8f}")  # type: ignore[attr-defined]

        e.n_iter_ = 0
        found = minimize(
            at, network.parameters.astype(np.float64), method="L-BFGS-B", jac=True, callback=told,
            options={"maxfun": e.max_fun, "maxiter": e.max_iter, "gtol": e.tol},
        )  # fmt: skip
    network.parameters[...] = found.x
    e.n_iter_ = min(int(found.nit), e.max_iter)
    weights = network.parameters[: network.layout.weights_end]
    norm = l2 / 2 * float(np.dot(weights, weights))
    e.loss_ = (float(found.fun) - norm) / learned.loss_outputs + norm
    if found.status != 0:
        warnings.warn(
            f"lbfgs failed to converge after {e.n_iter_} iteration(s) (status={found.status}): "
            f"{found.message}. Increase max_iter ({e.max_iter}) or max_fun ({e.max_fun}), or scale "
            "the data: standardize=True",
            ConvergenceWarning,
            stacklevel=4,
        )
