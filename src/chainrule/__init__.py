"""chainrule: deep networks from scratch in NumPy, the backward pass derived by hand.

    import numpy as np
    import chainrule as cr

    mnist = cr.load("mnist")
    rng = np.random.default_rng(0)
    network = cr.Network.dense([784, 128, 10], activation="relu", rng=rng)
    for epoch in cr.train(network, mnist.train, rng=rng):
        print(epoch.epoch, epoch.loss)
    loss, accuracy = cr.evaluate(network, mnist.test)

Every public name is here; each is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from chainrule.activations import ACTIVATIONS as ACTIVATIONS
    from chainrule.checkpoint import load_network as load_network
    from chainrule.checkpoint import save as save
    from chainrule.data.dataset import DataError as DataError
    from chainrule.data.dataset import Dataset as Dataset
    from chainrule.data.dataset import Examples as Examples
    from chainrule.data.sources import load as load
    from chainrule.gradient_check import gradcheck as gradcheck
    from chainrule.initializers import INITIALIZERS as INITIALIZERS
    from chainrule.layers import Dense as Dense
    from chainrule.losses import LOSSES as LOSSES
    from chainrule.network import Network as Network
    from chainrule.network import Workspace as Workspace
    from chainrule.optimizers import OPTIMIZERS as OPTIMIZERS
    from chainrule.prediction import Predictor as Predictor
    from chainrule.progress import Progress as Progress
    from chainrule.schedules import SCHEDULES as SCHEDULES
    from chainrule.sealed import ModelFileError as ModelFileError
    from chainrule.steps import DivergenceError as DivergenceError
    from chainrule.training import Epoch as Epoch
    from chainrule.training import evaluate as evaluate
    from chainrule.training import train as train

HOMES = {
    "ACTIVATIONS": "activations",
    "DataError": "data.dataset",
    "Dataset": "data.dataset",
    "Dense": "layers",
    "DivergenceError": "steps",
    "Epoch": "training",
    "Examples": "data.dataset",
    "INITIALIZERS": "initializers",
    "LOSSES": "losses",
    "ModelFileError": "sealed",
    "Network": "network",
    "OPTIMIZERS": "optimizers",
    "Predictor": "prediction",
    "Progress": "progress",
    "SCHEDULES": "schedules",
    "Workspace": "network",
    "evaluate": "training",
    "gradcheck": "gradient_check",
    "load": "data.sources",
    "load_network": "checkpoint",
    "save": "checkpoint",
    "train": "training",
}
"""Public name -> the module it lives in."""

__all__ = ["ACTIVATIONS", "INITIALIZERS", "LOSSES", "OPTIMIZERS", "SCHEDULES"]
__all__ += ["DataError", "Dataset", "Dense", "DivergenceError", "Epoch", "Examples"]
__all__ += ["ModelFileError", "Network", "Predictor", "Progress", "Workspace", "evaluate"]
__all__ += ["gradcheck", "load", "load_network", "save", "train"]


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    value: object = getattr(import_module(f"chainrule.{HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
