"""Prints the SBOM (CycloneDX): the packages that come with `pip install chainrule`, and no more.

    python .ci/sbom.py > .ci/sbom.json

Which packages they are begins with pyproject.toml, and goes on with what those that are installed
say; versions and checksums are those of .ci/requirements.txt. It has no date and no serial number:
the same packages give the same file.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from runpy import run_path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).with_name("requirements.txt")
PROJECT = tomllib.loads((LOCK.parents[1] / "pyproject.toml").read_text())["project"]
PINNED = re.compile(r"^([a-z0-9.-]+)==(\S+) \\\n    --hash=sha256:([0-9a-f]{64})$", re.MULTILINE)
OURS: str = PROJECT["name"]
VERSION = run_path(str(LOCK.parents[1] / "src/chainrule/core/version.py"))["__version__"]


def needed(name: str) -> list[str]:
    """The packages that this one requires here, without any of its extras."""
    # What is installed of ours may be older than pyproject.toml.
    lines = PROJECT["dependencies"] if name == OURS else distribution(name).requires or []
    requirements = [Requirement(line) for line in lines]
    here = [each for each in requirements if not each.marker or each.marker.evaluate({"extra": ""})]
    return sorted({canonicalize_name(each.name) for each in here})


def closure() -> dict[str, list[str]]:
    """Our package and all that come with it, each with what it requires itself."""
    found: dict[str, list[str]] = {}
    waiting = [OURS]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = needed(name)
            waiting += found[name]
    return dict(sorted(found.items()))


def pinned(lock: str) -> dict[str, tuple[str, str]]:
    """name -> (version, SHA-256) of a lock."""
    return {name: (version, digest) for name, version, digest in PINNED.findall(lock)}


def reference(name: str, version: str) -> str:
    """The package as a package URL."""
    return f"pkg:pypi/{name}@{version}"


def component(name: str, version: str) -> dict[str, Any]:
    """One package as CycloneDX has it, with its licence where it names one in SPDX's words."""
    named = distribution(name).metadata.get_all("License-Expression") if name != OURS else None
    licence = PROJECT["license"] if name == OURS else named and named[0]
    return {
        "type": "library",
        "bom-ref": reference(name, version),
        "name": name,
        "version": version,
        "purl": reference(name, version),
        **({"licenses": [{"expression": licence}]} if licence else {}),
    }


def bill(packages: dict[str, list[str]], lock: str) -> dict[str, Any]:
    """The whole SBOM; KeyError names a package that the lock does not have."""
    pins = pinned(lock)
    versions = {name: pins[name][0] for name in packages if name != OURS}
    versions[OURS] = VERSION
    references = {name: reference(name, version) for name, version in versions.items()}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component(OURS, versions[OURS])},
        "components": [
            component(name, versions[name])
            | {"hashes": [{"alg": "SHA-256", "content": pins[name][1]}]}
            for name in packages
            if name != OURS
        ],
        "dependencies": [
            {"ref": references[name], "dependsOn": [references[other] for other in others]}
            for name, others in packages.items()
        ],
    }


def as_text(content: dict[str, Any]) -> str:
    """The file as it is committed."""
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_text(bill(closure(), LOCK.read_text())))
