"""Sample sheets of distorted and corrupted images, written to a file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.augment import Distorter, Distortion
from chainrule.data.batches import spread
from chainrule.data.corruptions import CORRUPTIONS, SEVERITIES
from chainrule.data.dataset import Dataset
from chainrule.evaluation.robustness import copies
from chainrule.plots.grids import corrupted, distorted
from chainrule.plots.style import save

SHOWN = 64
"""Number of training images drawn, eight by eight."""


@dataclass(frozen=True)
class DrawnCopies:
    """Sample sheet of images and copies: its file, and the distortion, if it shows one."""

    path: Path
    images: int
    """Number of images, each beside its copies."""
    distortion: Distortion | None = None

    def as_json(self) -> dict[str, Any]:
        """Path of the picture, how many images it shows, amounts of the distortion."""
        return {
            "picture": str(self.path),
            "images": self.images,
            "distortion": asdict(self.distortion) if self.distortion else None,
        }


def draw_distorted(
    data: Dataset, distortion: Distortion, path: Path, *, rng: np.random.Generator
) -> DrawnCopies:
    """Draws training images beside their distorted copies."""
    images = data.train.images[spread(len(data.train.labels), SHOWN)]
    changed = Distorter(data.shape, distortion)(images, rng, np.empty_like(images))
    of = f"The first {len(images)} of {len(data.train.images):,} training images. "
    save(distorted(images, changed, shape=data.shape, remark=of + _words(distortion)), path)
    return DrawnCopies(path, len(images), distortion)


def draw_corruptions(data: Dataset, path: Path) -> DrawnCopies:
    """Draws two test images under each corruption and severity."""
    images, shape = data.test.images[:2], data.shape
    figure = corrupted(
        images,
        {
            name: np.stack([copies(images, shape, name, s) for s in SEVERITIES], axis=1)
            for name in CORRUPTIONS
        },
        shape=shape,
        remarks={name: corruption.span() for name, corruption in CORRUPTIONS.items()},
    )
    save(figure, path)
    return DrawnCopies(path, len(images))


def _words(distortion: Distortion) -> str:
    """Caption: the amounts that are not 0, in one line."""
    d = distortion
    limits = [
        (d.rotation, f"rotation {d.rotation:g} degrees"),
        (d.scaling, f"scaling {100 * d.scaling:g} %"),
        (d.shear, f"shear {d.shear:g} degrees"),
        (d.shift, f"shift {d.shift:g} {'pixel' if d.shift == 1 else 'pixels'}"),
    ]
    limited = ", ".join(words for limit, words in limits if limit)
    parts = [f"at most {limited}"] if limited else []
    if d.elastic:
        parts.append(f"elastic field of alpha {d.elastic:g}, sigma {d.elastic_sigma:g}")
    line = "; ".join(parts)
    return f"{line[0].upper()}{line[1:]}."
