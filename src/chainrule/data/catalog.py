"""Catalog of published data sets: their hosts, checksums and classes, by name."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.core.tables import Table
from chainrule.data.dataset import DIGITS


@dataclass(frozen=True)
class Source:
    """A published data set: its locations and its checksums.

    md5: sums of the four `.gz` files as published. arrays: SHA-256 sums of the raw pixel and label
    bytes, where known; with them any format can be verified, without them only the `.gz` files.
    torchvision, keras: the names that those tools' caches use. openml: the files that
    scikit-learn's fetch_openml leaves, by its newer and older naming. wheel: a package also
    contains the data.
    """

    mirrors: tuple[str, ...]
    md5: dict[str, str]
    classes: tuple[str, ...]
    torchvision: str
    keras: str
    arrays: dict[str, str] | None = None
    openml: tuple[str, ...] = ()
    wheel: bool = False


# The md5 sums are those of torchvision.datasets.mnist (commit 01977a1), whose authors took them
# from the publishers; the second host of Fashion-MNIST is the one Keras downloads from.
SOURCES: Table[Source] = Table(
    "data set",
    {
        "mnist": Source(
            mirrors=(
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
            ),
            md5={
                "train_images": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                "train_labels": "d53e105ee54ea40749a09fcbcd1e9432",
                "test_images": "9fb629c4189551a2d022fa330f9573f3",
                "test_labels": "ec29112dd5afa0611ce80d1b7f02629c",
            },
            classes=DIGITS,
            torchvision="MNIST",
            keras="mnist.npz",
            arrays={
                "train_images": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
                "train_labels": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
                "test_images": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
                "test_labels": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
            },
            openml=(
                "data/v1/download/52667/mnist_784.arff.gz",
                "data/v1/download/52667.gz",
            ),
            wheel=True,
        ),
        "fashion-mnist": Source(
            mirrors=(
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            ),
            md5={
                "train_images": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                "train_labels": "25c81989df183df01b3e8a0aad5dffbe",
                "test_images": "bef4ecab320f06d8554ea6380940ec79",
                "test_labels": "bb300cfdad3c16e7a12a480ee83cd310",
            },
            classes=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            torchvision="FashionMNIST",
            keras="fashion-mnist",
        ),
        "kmnist": Source(
            mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
            md5={
                "train_images": "bdb82020997e1d708af4cf47b453dcf7",
                "train_labels": "e144d726b3acfaa3e44228e80efcd344",
                "test_images": "5c965bf0a639b31b8f53240b1b52f4d7",
                "test_labels": "7320c461ea6c1c855c0b718fb2a4b134",
            },
            classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
            torchvision="KMNIST",
            keras="kmnist",
        ),
    },
)
