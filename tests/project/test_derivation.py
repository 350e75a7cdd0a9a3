"""The document beside the code: its Python runs, its numbers exist, its code's names exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import pytest

from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.initializers import INITIALIZERS
from chainrule.nn.losses import LOSSES
from chainrule.optim.optimizers import OPTIMIZERS
from chainrule.optim.schedules import SCHEDULES
from helpers.derivation import SECTIONS, TEXT, body, run

PACKAGE = Path(__file__).parents[2] / "src" / "chainrule"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("[a-z]*.py"))
}
"""Name below the package, such as data.augment -> file."""

DOCSTRINGS = {
    name: "\n".join(
        ast.get_docstring(node) or ""
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    )
    for name, path in MODULES.items()
}


def displayed_formulas() -> list[str]:
    return re.findall(r"^```math\n(.*?)^```$", TEXT, re.DOTALL | re.M)


def paragraphs() -> list[str]:
    """The document's prose, without fenced blocks, each `code` replaced by a word."""
    prose = re.sub(r"^```.*?^```$", "\n", TEXT, flags=re.DOTALL | re.M)
    return re.split(r"\n\s*\n", re.sub(r"`[^`\n]+`", "code", prose))


def numbered_equations() -> list[tuple[int, int]]:
    r"""(section, number) of each equation, in order: \qquad (2.3) at the end of a line."""
    found = re.findall(r"\\qquad \((\d+)\.(\d+)\)(?: \\\\)?$", "".join(displayed_formulas()), re.M)
    return [(int(section), int(number)) for section, number in found]


def mentioned_equations(text: str) -> Iterator[tuple[int, int]]:
    """(2.1), (2.1, 2.2), (2.3 - 2.6): brackets with nothing but equation numbers in them."""
    one = r"[1-9]\d?\.\d{1,2}"
    for inside in re.findall(rf"\(({one}(?:(?:, | - ){one})*)\)", text):
        for part in inside.split(", "):
            ends = [tuple(map(int, end.split("."))) for end in part.split(" - ")]
            section, last = ends[-1]
            yield from ((section, number) for number in range(ends[0][1], last + 1))


@pytest.mark.parametrize("section", SECTIONS)
def test_the_python_of_each_section_runs_and_holds(section: int) -> None:
    run(section)


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_ends_with_python_that_asserts_something(section: int) -> None:
    last = body(section).rpartition("\n```python\n")[2]
    assert "assert " in last
    assert last.index("```") == len(last) - 3, "the section goes on after its last block"


def test_sections_and_equations_are_numbered_in_order_and_without_gaps() -> None:
    assert list(SECTIONS) == list(range(1, 14))
    equations = numbered_equations()
    assert {section for section, _ in equations} == set(SECTIONS) - {9}
    assert equations[0] == (1, 1)
    for before, after in pairwise(equations):
        assert after == (before[0], before[1] + 1) or (after[0] > before[0] and after[1] == 1)


def test_each_equation_that_the_document_mentions_exists() -> None:
    assert set(mentioned_equations(TEXT)) <= set(numbered_equations())


def test_each_section_that_a_module_refers_to_is_about_that_module() -> None:
    named = [
        (name, int(section))
        for name, text in DOCSTRINGS.items()
        for section in re.findall(r"derivation\.md,\s+section\s+(\d+)", text)
    ]
    assert len(named) >= 10
    for name, section in named:
        assert f"`{name}." in body(section), f"{name} refers to section {section}"


def test_each_equation_that_the_source_refers_to_exists() -> None:
    equations = {pair for text in DOCSTRINGS.values() for pair in mentioned_equations(text)}
    assert {(2, number) for number in range(1, 7)} <= equations
    assert {(10, number) for number in range(1, 9)} <= equations
    assert equations <= set(numbered_equations())


def test_each_name_of_the_package_that_the_document_uses_exists() -> None:
    modules = "|".join(map(re.escape, sorted(MODULES, key=len, reverse=True)))
    names = set(re.findall(rf"`({modules})\.([\w.]+)`", TEXT))
    assert len(names) > 40
    assert ("data.augment", "blur") in names
    for module, name in names:
        attrgetter(name)(import_module(f"chainrule.{module}"))


def test_every_row_of_the_tables_is_derived_or_described() -> None:
    for function in [*(row.function for row in LOSSES.values()), *INITIALIZERS.values()]:
        module = function.__module__.removeprefix("chainrule.")
        assert f"`{module}.{function.__name__}`" in TEXT
    for name in [*ACTIVATIONS, *SCHEDULES]:
        assert f"| `{name}` |" in TEXT
    headings = {"sgd": "Gradient descent", "rmsprop": "RMSProp", "adamw": "AdamW"}
    for name in OPTIMIZERS:
        assert f"**{headings.get(name, name.title())}" in body(7)


MACROS = re.findall(
    r"\w+",
    "alpha approx bar begin beta bigl Bigl bigr Bigr cdot cdots cos cosh delta dots ell end "
    "epsilon eta exp frac gamma hat infty int kappa lambda ldots le left leftarrow ln log "
    "Longrightarrow mathcal max min mu odot partial phi pi prod psi qquad quad right sigma sim sin "
    "sinh sqrt sum tan tanh tau text theta tilde times varepsilon vert Vert",
)
"""What GitHub's renderer, MathJax with the AMS macros, certainly knows."""


def test_formulas_use_plain_macros_and_close_what_they_open() -> None:
    formulas = displayed_formulas() + re.findall(r"\$([^$]+)\$", "\n".join(paragraphs()))
    assert len(formulas) > 200
    for formula in formulas:
        macros = re.findall(r"\\([A-Za-z]+)", formula)
        assert set(macros) <= set(MACROS), formula
        assert formula.count("{") == formula.count("}"), formula
        assert macros.count("left") == macros.count("right"), formula
        environments = [re.findall(rf"\\{end}{{(\w+)}}", formula) for end in ("begin", "end")]
        assert environments[0] == environments[1], formula


def test_inline_formulas_survive_markdown() -> None:
    r"""Markdown comes first: it eats \, and \{, and reads * and | and a lone _ in its own way."""
    for paragraph in paragraphs():
        assert paragraph.count("$") % 2 == 0, paragraph
        for before, formula, after in re.findall(r"(.?)\$([^$]+)\$(.?)", paragraph):
            assert not re.search(r"\\[^A-Za-z ]|[*|<\n]|[^A-Za-z0-9]_", formula), formula
            assert formula == formula.strip(), formula
            assert before in " (", formula
            assert after in " .,;:)", formula
