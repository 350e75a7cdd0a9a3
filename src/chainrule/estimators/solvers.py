"""Solvers: our optimizers and schedules with scikit-learn's parameters."""

from __future__ import annotations

from typing import Any

from chainrule.estimators.learned import Learned
from chainrule.estimators.parameters import PLANNED, Parameters
from chainrule.nn.network import Network
from chainrule.optim.optimizers import OPTIMIZERS, Optimizer
from chainrule.optim.schedules import SCHEDULES, Schedule

SMALLEST_RATE = 1e-6
"""The learning rate at which adaptive ends training, as MLP's."""


def prepare(estimator: Parameters, steps: int) -> None:
    """Gives what was learned an optimizer and a schedule of so many steps.

    Those of an earlier fit go on if the parameters that make an optimizer are the same.
    """
    learned, wanted = estimator._learned, _made_with(estimator)
    rate = float(estimator.learning_rate_init)
    if learned.optimizer is None or learned.made_with != wanted:
        learned.optimizer, learned.made_with = _optimizer(estimator, learned.network), wanted
        learned.schedule = None
    if estimator.learning_rate in PLANNED:
        learned.step = 0  # a plan begins
        learned.schedule = SCHEDULES[estimator.learning_rate](rate, steps)
    elif learned.schedule is None:
        learned.schedule = Schedule(rate)


def end_epoch(estimator: Parameters, *, stalled: bool) -> tuple[bool, str]:
    """Sets the next epoch's learning rate: (whether training ends, what verbose says of it).

    `stalled` after more than n_iter_no_change epochs without an improvement by tol.
    """
    learned, kind = estimator._learned, estimator.learning_rate
    schedule = _schedule(learned)
    if kind in PLANNED:
        return False, ""
    varies = estimator.solver != "adam"  # MLP's adam has one rate
    if kind == "invscaling" and varies:
        schedule.rate = estimator.learning_rate_init / (estimator.t_ + 1) ** estimator.power_t
    if not stalled:
        return False, ""
    if kind != "adaptive" or not varies:
        return True, "Stopping."
    if schedule.rate <= SMALLEST_RATE:
        return True, "Learning rate too small. Stopping."
    schedule.rate /= 5
    estimator._no_improvement_count = 0
    return False, f"Setting learning rate to {schedule.rate:f}"


def _schedule(learned: Learned) -> Schedule:
    assert learned.schedule is not None, "prepare comes first"
    return learned.schedule


def _made_with(e: Parameters) -> tuple[Any, ...]:
    return (
        e.solver, e.learning_rate, e.learning_rate_init, e.momentum, e.nesterovs_momentum, e.beta_1,
        e.beta_2, e.epsilon, e.weight_decay,
    )  # fmt: skip


def _optimizer(e: Parameters, network: Network) -> Optimizer:
    epsilon = float(e.epsilon)
    of_solver: dict[str, dict[str, Any]] = {
        "sgd": {"momentum": float(e.momentum), "nesterov": bool(e.nesterovs_momentum)},
        "adam": {"beta1": float(e.beta_1), "beta2": float(e.beta_2), "epsilon": epsilon},
        "rmsprop": {"epsilon": epsilon},
    }
    of_solver["adamw"] = of_solver["adam"] | {"weight_decay": float(e.weight_decay)}
    decayed = network.layout.weights_end
    return OPTIMIZERS[e.solver](
        network.parameters.size, network.dtype, decayed=decayed, **of_solver[e.solver]
    )
