"""Prints the lowest versions that the wheel allows, as constraints for pip.

    pip install -c <(python .ci/lowest.py) '.[serve]'

They are the lower bounds of pyproject.toml: those of the library and of its extras that users
install. What these need in turn comes as pip finds it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("serve",)


def lowest(requirement: str) -> str:
    """NAME==VERSION of a requirement NAME>=VERSION; its marker stays."""
    bound, mark, marker = requirement.partition(";")
    name, version = bound.strip().split(">=")
    return f"{name}=={version}{mark}{marker}"


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    print("\n".join(map(lowest, wanted)))
