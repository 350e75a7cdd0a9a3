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

from chainrule.core.version import __version__ as __version__

if TYPE_CHECKING:
    from chainrule.core.errors import DataError as DataError
    from chainrule.core.errors import DivergenceError as DivergenceError
    from chainrule.core.errors import ModelFileError as ModelFileError
    from chainrule.data.dataset import Dataset as Dataset
    from chainrule.data.dataset import Examples as Examples
    from chainrule.data.load import load as load
    from chainrule.estimators.classifier import NetworkClassifier as NetworkClassifier
    from chainrule.estimators.hidden_layer import HiddenLayer as HiddenLayer
    from chainrule.estimators.regressor import NetworkRegressor as NetworkRegressor
    from chainrule.nn.activations import ACTIVATIONS as ACTIVATIONS
    from chainrule.nn.activations import LINKS as LINKS
    from chainrule.nn.dense import Dense as Dense
    from chainrule.nn.gradient_check import gradcheck as gradcheck
    from chainrule.nn.initializers import INITIALIZERS as INITIALIZERS
    from chainrule.nn.losses import LOSSES as LOSSES
    from chainrule.nn.model_file import load_network as load_network
    from chainrule.nn.model_file import save as save
    from chainrule.nn.network import Network as Network
    from chainrule.nn.network import Workspace as Workspace
    from chainrule.nn.predictor import Predictor as Predictor
    from chainrule.nn.targets import class_weights as class_weights
    from chainrule.notebook.fit import fit as fit
    from chainrule.notebook.history import History as History
    from chainrule.optim.optimizers import OPTIMIZERS as OPTIMIZERS
    from chainrule.optim.schedules import SCHEDULES as SCHEDULES
    from chainrule.training.evaluate import evaluate as evaluate
    from chainrule.training.objective import loss_and_gradient as loss_and_gradient
    from chainrule.training.state import Progress as Progress
    from chainrule.training.train import Epoch as Epoch
    from chainrule.training.train import train as train

HOMES = {
    "ACTIVATIONS": "nn.activations",
    "DataError": "core.errors",
    "Dataset": "data.dataset",
    "Dense": "nn.dense",
    "DivergenceError": "core.errors",
    "Epoch": "training.train",
    "Examples": "data.dataset",
    "History": "notebook.history",
    "HiddenLayer": "estimators.hidden_layer",
    "INITIALIZERS": "nn.initializers",
    "LINKS": "nn.activations",
    "LOSSES": "nn.losses",
    "ModelFileError": "core.errors",
    "Network": "nn.network",
    "NetworkClassifier": "estimators.classifier",
    "NetworkRegressor": "estimators.regressor",
    "OPTIMIZERS": "optim.optimizers",
    "Predictor": "nn.predictor",
    "Progress": "training.state",
    "SCHEDULES": "optim.schedules",
    "Workspace": "nn.network",
    "class_weights": "nn.targets",
    "evaluate": "training.evaluate",
    "fit": "notebook.fit",
    "gradcheck": "nn.gradient_check",
    "load": "data.load",
    "load_network": "nn.model_file",
    "loss_and_gradient": "training.objective",
    "save": "nn.model_file",
    "train": "training.train",
}
"""Public name -> the module it lives in."""

__all__ = ["ACTIVATIONS", "INITIALIZERS", "LINKS", "LOSSES", "OPTIMIZERS", "SCHEDULES"]
__all__ += ["DataError", "Dataset", "Dense", "DivergenceError", "Epoch", "Examples"]
__all__ += ["HiddenLayer", "History", "ModelFileError", "Network"]
__all__ += ["NetworkClassifier", "NetworkRegressor"]
__all__ += ["Predictor", "Progress", "Workspace", "class_weights", "evaluate", "fit", "gradcheck"]
__all__ += ["load", "load_network", "loss_and_gradient", "save", "train"]


def __getattr__(name: str) -> object:
    if name == "plots":
        return import_module("chainrule.plots")
    if name not in HOMES:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    value: object = getattr(import_module(f"chainrule.{HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
