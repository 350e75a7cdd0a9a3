"""Start of a run from trained weights, those of another run or of a model file: `train --from`."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.errors import ConfigError
from chainrule.nn.model_file import load_network
from chainrule.nn.network import Network
from chainrule.runs.folder import find
from chainrule.runs.values import read_config


@dataclass(frozen=True)
class Start:
    """Trained network that a run starts from."""

    path: Path
    """Of its model file."""
    network: Network

    @classmethod
    def of(cls, run: str) -> Start:
        """Start from a run or a model file. Raises ConfigError, ModelFileError."""
        path = find(run).absolute()
        return cls(path, load_network(path))

    @property
    def checksum(self) -> str:
        """SHA-256 of its weights."""
        return sha256(self.network.state.tobytes()).hexdigest()

    def as_config(self) -> dict[str, str]:
        """What config.toml says of it, in [run]."""
        return {"start": str(self.path), "start_sha256": self.checksum}

    def architecture(self) -> dict[str, Any]:
        """Settings of its network: those that a run has unless they are given."""
        hidden = tuple(layer.activation for layer in self.network.layers[:-1])
        return {"layers": tuple(self.network.widths)} | ({"activation": hidden} if hidden else {})

    def put(self, network: Network) -> None:
        """Puts its weights into another network. Raises ConfigError where they do not fit."""
        mine, other = (
            [(each.fan_in, each.fan_out, each.activation, each.batch_norm) for each in one.layers]
            for one in (self.network, network)
        )
        if mine != other:
            folded = " (a run's model has its batch normalisation folded into the weights)"
            differ = [a[:3] for a in mine] == [b[:3] for b in other]
            raise ConfigError(
                f"--from {self.path}: its network is {self.network!r}, and that of the settings "
                f"{network!r}{folded if differ else ''}: give the same layers and activations"
            )
        np.copyto(network.state, self.network.state, casting="same_kind")


def start_in(config: Path) -> Start | None:
    """What a run with this config.toml started from, if anything.

    Raises ConfigError if its weights have changed since.
    """
    said = read_config(config, follow_links=True).get("run", {})
    if not said.get("start"):
        return None
    start = Start.of(said["start"])
    if said.get("start_sha256") != start.checksum:
        raise ConfigError(
            f"{config}: it started from other weights than those that {start.path} has now; put "
            "them back, or start a new run"
        )
    return start
