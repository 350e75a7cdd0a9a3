"""The house of DESIGN: imports go down the floors, and each kind of line lives in its room."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from chainrule.cli.app import commands

SRC = Path(__file__).parents[2] / "src" / "chainrule"
MODULES = {
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SRC.rglob("*.py"))
}
FLOORS = (
    {"core"},
    {"nn", "optim", "data"},
    {"training", "web"},
    {"digits", "experiments"},
    {"evaluation", "monitor", "articles", "estimators"},
    {"service", "plots"},
    {"runs"},
    {"cli"},
    {"notebook"},
    {"__main__"},
)
"""The rooms, each above those that it may import. Rooms of one floor do not know each other."""
HOMES = {
    "matplotlib": {"plots"},
    "PIL": {"data", "digits"},
    "pooch": {"data"},
    "safetensors": {"core.tensor_file"},
    "typer": {"cli"},
    "rich": {"cli"},
    "filelock": {"runs"},
    "pickle": {"data.readers.pickles"},
    "threadpoolctl": {"core.blas"},
    "numba": {"core.jit"},
    "fastapi": {"service"},
    "starlette": {"service"},
    "pydantic": {"service"},
    "uvicorn": {"service"},
    "httptools": {"service"},
    "orjson": {"service"},
    "prometheus_client": {"service"},
    "python_multipart": {"service"},
    "pandas": {"notebook.history"},
    "pyarrow": {"data.table.parquet"},
    "sklearn": {"estimators"},
    "scipy": {"estimators"},
    "numpy": None,
    "jaxtyping": {"core.arrays"},
}
"""Third-party (and dangerous) modules, and where alone they may be imported; None: anywhere."""


LINES = (
    (
        {"np.exp", "np.log", "np.log1p", "np.expm1"},
        {
            "nn.activations",
            "nn.losses",
            "nn.losses_of_values",
            "experiments.quirks",
            "estimators.classifier",
        },
    ),
    (
        {"np.random.default_rng"},
        {
            "cli",
            "experiments",
            "estimators",
            "evaluation",
            "data.dataset",
            "core.rng",
            "notebook",
        },
    ),
    ({"print"}, {"cli.console", "estimators.verbose"}),
    (
        {"open", "Path.open", "socket.socket"},
        {"core.files", "data", "experiments.settings", "service", "runs"},
    ),
)
"""Calls, and the rooms or modules where alone they may stand."""


def room(module: str) -> str:
    return module.split(".")[0]


def floor(module: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room(module) in rooms)


def imported(module: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            assert node.module
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = whole.removeprefix("chainrule.") in MODULES
                names.add(whole if is_module else node.module)
    return names


def ours(module: str) -> set[str]:
    names = {name.removeprefix("chainrule.") for name in imported(module)}
    return names & set(MODULES)


def called(module: str) -> set[str]:
    return {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(MODULES[module].read_text()))
        if isinstance(node, ast.Call)
    }


INSIDE = [name for name in MODULES if name and name != "__init__"]


@pytest.mark.parametrize("module", INSIDE)
def test_imports_go_down_the_floors(module: str) -> None:
    assert "chainrule" not in imported(module), f"{module} imports the package, which is above it"
    for other in ours(module):
        assert room(module) == room(other) or floor(other) < floor(module), (
            f"{module} imports {other}, which is not below it"
        )


def test_no_modules_import_each_other_in_a_circle() -> None:
    seen: dict[str, int] = {}

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' -> '.join((*path, module))}"
        if module in seen:
            return
        for other in ours(module) - {module}:
            visit(other, (*path, module))
        seen[module] = len(path)

    for module in INSIDE:
        visit(module, ())


@pytest.mark.parametrize("module", INSIDE)
def test_other_peoples_packages_are_imported_in_their_room_only(module: str) -> None:
    for name in imported(module):
        package = name.split(".")[0]
        if package in HOMES:
            homes = HOMES[package]
            assert homes is None or {module, room(module)} & homes, f"{module} imports {name}"
        else:
            known = package in sys.stdlib_module_names or package == "chainrule"
            assert known, f"{module} imports {name}, which has no home in the house"


@pytest.mark.parametrize("module", INSIDE)
def test_each_kind_of_line_lives_in_its_room(module: str) -> None:
    calls = called(module)
    for lines, homes in LINES:
        if not any(module == home or module.startswith(f"{home}.") for home in homes):
            assert not calls & lines, f"{module}: these live in {', '.join(sorted(homes))}"
    assert not calls & {"eval", "exec", "pickle.loads", "pickle.load", "marshal.loads"}


@pytest.mark.parametrize("module", list(MODULES))
def test_files_are_short_enough_to_be_read(module: str) -> None:
    lines = len(MODULES[module].read_text().splitlines())
    assert lines <= 300, f"{MODULES[module].name} has {lines} lines: what is its second subject?"


def test_no_module_is_shadowed_by_something_else_of_its_name() -> None:
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "for name in sys.argv[1:]:\n"
        "    package, _, last = name.rpartition('.')\n"
        "    if getattr(sys.modules[package], last) is not sys.modules[name]: print(name)\n"
    )
    names = [f"chainrule.{name}" for name in INSIDE]
    result = subprocess.run(
        [sys.executable, "-c", code, *names], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == [], "these modules are hidden by something of their name"


def test_the_commands_are_the_modules_of_cli_that_have_a_function_of_their_name() -> None:
    names = [command.__name__ for command in commands()]
    assert len(set(names)) == len(names) >= 12
    for name in names:
        assert getattr(importlib.import_module(f"chainrule.cli.{name}"), name).__doc__


def test_the_command_line_is_built_without_numpy() -> None:
    code = "import sys, chainrule.cli.app; print('numpy' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


def test_a_plain_import_loads_numpy_at_most() -> None:
    code = (
        "import sys, numpy; before = set(sys.modules); import chainrule; chainrule.Network; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - sys.stdlib_module_names - {'chainrule', 'numpy'}))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_every_public_name_is_there_and_listed() -> None:
    import chainrule

    assert sorted(chainrule.HOMES) == sorted(chainrule.__all__)
    for name in chainrule.__all__:
        assert getattr(chainrule, name) is not None
        assert name in dir(chainrule)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = chainrule.nonsense
