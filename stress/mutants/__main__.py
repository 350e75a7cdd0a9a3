"""Mutation testing: plants one bug after another in a copy of the library and runs the tests.

    python -m stress.mutants                 all bugs, two at a time
    python -m stress.mutants label reader    those with one of these words in name or file

The bugs are in the *.toml files beside this one: a text that occurs once in a file under
src/chainrule, its replacement, and the tests that must then fail. Without the bug they must pass.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from time import perf_counter

from stress.table import Row

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGE = Path("src/chainrule")
AT_ONCE = 2
PATIENCE = 180.0
"""Seconds after which tests are taken to hang."""
PASSED, FAILED = 0, 1
"""Exit codes of pytest; others mean that it could not run the tests."""
COPIED = ("src", "tests", "stress", "pyproject.toml")


@dataclass(frozen=True)
class Bug:
    """One change that breaks the library, and the tests that must say so."""

    name: str
    file: str
    """Under src/chainrule."""
    old: str
    new: str
    tests: tuple[str, ...]
    """Files under tests/, or single tests: FILE::NAME, or FILE::NAME[CASE]."""
    needs: str = ""
    """A module without which these tests are skipped."""


@dataclass(frozen=True)
class Answer:
    """What the tests said: pytest's exit code, the first that failed, seconds."""

    code: int
    first: str
    seconds: float
    output: str


class CannotTestError(RuntimeError):
    """The tests could not be run as they must be, whatever they would have said."""


def bugs() -> list[Bug]:
    """All bugs, in the order of the files."""
    tables = [tomllib.loads(path.read_text("utf-8")) for path in sorted(HERE.glob("*.toml"))]
    entries = [entry for table in tables for entry in table["bug"]]
    return [Bug(**entry | {"tests": tuple(entry["tests"])}) for entry in entries]


def objections(bug: Bug, root: Path = ROOT) -> list[str]:
    """Why the bug cannot be planted or looked for, in words; empty: it can."""
    path = root / PACKAGE / bug.file
    if not path.is_file():
        return [f"{bug.file} is not there"]
    found = []
    if (times := path.read_text("utf-8").count(bug.old)) != 1:
        found.append(f"its old text occurs {times} times in {bug.file}: {bug.old!r}")
    if bug.old == bug.new or not bug.tests:
        found.append("it changes nothing, or names no test")
    for test in bug.tests:
        file, _, name = test.partition("::")
        there = root / "tests" / file
        start = f"def {name.partition('[')[0]}(" if name else "def test_"
        if not there.is_file() or start not in there.read_text("utf-8"):
            found.append(f"{test} is not there")
    return found


@contextmanager
def copied(repository: Path, bug: Bug | None = None) -> Iterator[Path]:
    """A copy of what the tests need of the repository, with the bug in it; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="planted-") as temporary:
        root = Path(temporary).resolve()
        for name in COPIED:
            if (repository / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(repository / name, root / name, ignore=ignored)
            else:
                shutil.copy(repository / name, root)
        if bug:
            path = root / PACKAGE / bug.file
            path.write_text(path.read_text("utf-8").replace(bug.old, bug.new), "utf-8")
        yield root


def ask(root: Path, tests: Sequence[str]) -> Answer:
    """Runs tests of a copy on the copy's own source, up to the first failure.

    Raises CannotTestError if another chainrule than the copy's would be imported.
    """
    source = root / "src"
    aside = ("PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "CHAINRULE_REQUIRE_ORACLES")
    environment = {name: value for name, value in os.environ.items() if name not in aside}
    environment |= {"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    imported = _output(root, environment, "-c", "import chainrule; print(chainrule.__file__)")[1]
    if Path(imported.strip()) != source / "chainrule" / "__init__.py":
        raise CannotTestError(f"the tests would import {imported.strip()}, not {source}")
    started = perf_counter()
    options = ("-x", "-q", "-p", "no:cacheprovider", "--tb=short")
    code, output = _output(
        root, environment, "-m", "pytest", *options, *(f"tests/{test}" for test in tests)
    )
    seconds = perf_counter() - started
    failures = [line.split(" ", 1)[1] for line in output.splitlines() if _names_a_failure(line)]
    first = failures[0].split(" - ")[0].removeprefix("tests/") if failures else ""
    return Answer(code, first, seconds, output)


def _names_a_failure(line: str) -> bool:
    return line.startswith(("FAILED ", "ERROR ")) and "::" in line


def _output(root: Path, environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    """(exit code, what it printed) of Python in the copy; nothing of it lives on."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise CannotTestError(f"no end after {PATIENCE:g} s: {arguments}") from None
    return process.returncode, output


def red_without_a_bug(repository: Path, tests: Sequence[str]) -> str:
    """What these tests say if they fail without any bug; empty: they pass."""
    try:
        with copied(repository) as root:
            answer = ask(root, tests)
    except CannotTestError as error:
        return str(error)
    return "" if answer.code == PASSED else answer.output


def seek(repository: Path, bug: Bug) -> tuple[str, Answer | None]:
    """("red" or "NOT FOUND" or why nobody knows, what the tests said)."""
    if bug.needs and find_spec(bug.needs) is None:
        return f"not asked: {bug.needs} is missing", None
    try:
        with copied(repository, bug) as root:
            answer = ask(root, bug.tests)
    except CannotTestError as error:
        return f"NOT FOUND: {error}", None
    if answer.code == FAILED and answer.first:
        return "red", answer
    return "NOT FOUND" if answer.code == PASSED else f"NOT FOUND: pytest {answer.code}", answer


def rows(short: bool) -> Iterator[Row]:
    """Bugs planted one after another; in short those of the optimizers."""
    command = [sys.executable, "-m", "stress.mutants", *(["optim/"] if short else [])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = done.stdout.strip().splitlines()
    figure = said[-1] if said else done.stderr.strip()[-200:]
    yield Row("planted bugs", figure, "all red", done.returncode == 0)


def main(words: Sequence[str]) -> int:
    """Prints a row for each bug; 1 if one stays green, or tests are red without any."""
    started = perf_counter()
    # What is edited meanwhile shall not be taken for a bug, or hide one.
    with copied(ROOT) as repository, ThreadPoolExecutor(AT_ONCE) as team:
        chosen = [b for b in bugs() if not words or any(w in f"{b.name} {b.file}" for w in words)]
        if wrong := [f"{b.name}: {text}" for b in chosen for text in objections(b, repository)]:
            print("\n".join(wrong))
            return 1
        red = _red(repository, chosen, team)
        print(f"the tests, without a bug: {perf_counter() - started:.0f} s", flush=True)
        asked = [bug for bug in chosen if not red & {*bug.tests}]
        width = max((len(bug.name) for bug in asked), default=0)
        results = []
        for bug, (result, answer) in zip(
            asked, team.map(partial(seek, repository), asked), strict=True
        ):
            results.append(result)
            seconds, first = (f"{answer.seconds:5.1f} s", answer.first) if answer else ("", "")
            print(f"{bug.name:<{width}}  {result:<9} {seconds:>7}  {first}", flush=True)
    found = results.count("red")
    missed = sum(result.startswith("NOT FOUND") for result in results)
    print(
        f"{len(chosen)} bugs: {found} red, {missed} not found, {len(chosen) - found - missed} "
        f"not asked: {perf_counter() - started:.0f} s in all"
    )
    return int(missed > 0 or len(red) > 0 or not chosen)


def _red(repository: Path, chosen: Sequence[Bug], team: ThreadPoolExecutor) -> set[str]:
    """The tests of those files that fail without any bug, after what they say."""
    tests = sorted({test for bug in chosen for test in bug.tests})
    files = [list(group) for _, group in groupby(tests, lambda test: test.split("::")[0])]
    red: set[str] = set()
    outputs = team.map(partial(red_without_a_bug, repository), files)
    for asked, output in zip(files, outputs, strict=True):
        if output:
            red.update(asked)
            print(f"{output}\nThese fail without a bug, and can show none: {', '.join(asked)}")
    return red


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
