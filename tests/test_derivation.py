"""The document beside the code: its Python runs, its numbers exist, its checks can fail."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

from chainrule import losses
from chainrule.activations import ACTIVATIONS
from chainrule.arrays import Array
from chainrule.gradient_check import gradcheck
from chainrule.initializers import INITIALIZERS
from chainrule.losses import LOSSES
from chainrule.network import Network, Workspace
from chainrule.optimizers import OPTIMIZERS, Adam
from chainrule.schedules import SCHEDULES

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "derivation.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
SECTIONS = {int(match[1]): match.start() for match in re.finditer(r"^## (\d+) ", TEXT, re.M)}
"""Section -> where its heading starts."""

DOCSTRINGS = [
    docstring
    for path in sorted((ROOT / "src").rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
    and "derivation.md" in (docstring := ast.get_docstring(node) or "")
]


def body(section: int) -> str:
    return TEXT[SECTIONS[section] : SECTIONS.get(section + 1)].rstrip()


def run(section: int) -> None:
    """Executes the section's blocks in order, in one fresh namespace."""
    namespace: dict[str, object] = {"__name__": f"section_{section}"}
    for match in re.finditer(r"^```python\n(.*?)^```$", body(section), re.DOTALL | re.M):
        # Empty lines in front, so that a traceback shows the document's own lines.
        lines_before = TEXT.count("\n", 0, SECTIONS[section] + match.start(1))
        exec(compile("\n" * lines_before + match[1], str(DOCUMENT), "exec"), namespace)


def displayed_formulas() -> list[str]:
    return re.findall(r"^```math\n(.*?)^```$", TEXT, re.DOTALL | re.M)


def paragraphs() -> list[str]:
    """The document's prose, without fenced blocks, each `code` replaced by a word."""
    prose = re.sub(r"^```.*?^```$", "\n", TEXT, flags=re.DOTALL | re.M)
    return re.split(r"\n\s*\n", re.sub(r"`[^`\n]+`", "code", prose))


def numbered_equations() -> list[tuple[int, int]]:
    r"""(section, number) of each equation, in order: \qquad (2.3) at the end of a line."""
    found = re.findall(r"\\qquad \((\d)\.(\d+)\)(?: \\\\)?$", "".join(displayed_formulas()), re.M)
    return [(int(section), int(number)) for section, number in found]


def mentioned_equations(text: str) -> Iterator[tuple[int, int]]:
    """(2.1), (2.1, 2.2), (2.3 - 2.6): brackets with nothing but equation numbers in them."""
    for inside in re.findall(r"\(([1-9]\.\d{1,2}(?:(?:, | - )[1-9]\.\d{1,2})*)\)", text):
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
    assert list(SECTIONS) == list(range(1, 10))
    equations = numbered_equations()
    assert (equations[0], equations[-1][0]) == ((1, 1), 8)
    for before, after in pairwise(equations):
        assert after in {(before[0], before[1] + 1), (before[0] + 1, 1)}


def test_each_equation_that_the_document_mentions_exists() -> None:
    assert set(mentioned_equations(TEXT)) <= set(numbered_equations())


def test_each_section_and_equation_that_the_source_refers_to_exists() -> None:
    sections = re.findall(r"derivation\.md,\s+section\s+(\d+)", "\n".join(DOCSTRINGS))
    assert len(sections) >= 5
    assert {int(section) for section in sections} <= set(SECTIONS)
    equations = {pair for text in DOCSTRINGS for pair in mentioned_equations(text)}
    assert {(2, number) for number in range(1, 7)} <= equations
    assert equations <= set(numbered_equations())


def test_each_name_of_the_package_that_the_document_uses_exists() -> None:
    modules = "|".join(path.stem for path in (ROOT / "src" / "chainrule").glob("[a-z]*.py"))
    names = set(re.findall(rf"`({modules})\.([\w.]+)`", TEXT))
    assert len(names) > 20
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
    "alpha approx begin beta Bigl Bigr cdot cos cosh delta dots ell end epsilon eta exp frac hat "
    "lambda ldots left leftarrow ln log Longrightarrow max min mu odot partial pi qquad quad right "
    "sigma sinh sqrt sum tanh text theta times varepsilon vert Vert",
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


# Each mistake of section 9 that can be made in the package is made, and its check must notice.

Plant = Callable[[pytest.MonkeyPatch], None]


def scalar_bias(patch: pytest.MonkeyPatch) -> None:
    original = Network.backward

    def backward(self: Network, dlogits: Array, workspace: Workspace) -> Array:
        original(self, dlogits, workspace)
        for db in workspace.db:
            db[...] = db.sum()
        return workspace.gradient

    patch.setattr(Network, "backward", backward)


def missing_transpose(patch: pytest.MonkeyPatch) -> None:
    original = Network.backward

    def backward(self: Network, dlogits: Array, workspace: Workspace) -> Array:
        kept, self.W = self.W, [W.T if W.shape[0] == W.shape[1] else W for W in self.W]
        original(self, dlogits, workspace)
        self.W = kept
        return workspace.gradient

    patch.setattr(Network, "backward", backward)


def activation(
    name: str,
    *,
    A: Callable[[Array], Array] | None = None,
    dZ: Callable[[Array, Array], Array] | None = None,
) -> Plant:
    """Replaces A(Z), or dZ(dA, A), of one row of the table."""

    def forward(Z: Array, out: Array) -> Array:
        with np.errstate(invalid="ignore"):  # nan is to reach the check
            np.copyto(out, A(Z) if A else 0)
        return out

    def backward(dA: Array, Z: Array, A: Array, out: Array, scratch: Array) -> Array:
        np.copyto(out, dZ(dA, A) if dZ else 0)
        return out

    row = ACTIVATIONS[name]
    wrong = replace(row, forward=forward) if A else replace(row, backward=backward)
    return lambda patch: patch.setitem(ACTIVATIONS, name, wrong)


def cross_entropy(spoil: Callable[[Array, float, Array], tuple[float, Array]]) -> Plant:
    """Replaces softmax cross-entropy by spoil(logits, loss, dlogits)."""
    row = LOSSES["softmax-cross-entropy"]

    def function(
        logits: Array, labels: Array, buffers: object = None, *, label_smoothing: float = 0.0
    ) -> tuple[float, Array]:
        right = row.function(logits, labels, label_smoothing=label_smoothing)
        return spoil(logits, *right)

    wrong = replace(row, function=function)
    return lambda patch: patch.setitem(LOSSES, "softmax-cross-entropy", wrong)


def logarithm_last(logits: Array, loss: float, dlogits: Array) -> tuple[float, Array]:
    P = ACTIVATIONS["softmax"].forward(logits, np.empty_like(logits))
    return (loss if P.all() else np.inf), dlogits


def penalty_without_value(patch: pytest.MonkeyPatch) -> None:
    original = losses.l2_penalty
    patch.setattr(losses, "l2_penalty", lambda *arguments: original(*arguments) * 0)


def adam_without_correction(patch: pytest.MonkeyPatch) -> None:
    original = Adam.step

    def step(self: Adam, parameters: Array, gradient: Array, learning_rate: float) -> None:
        self.steps = 10**6  # so late that both corrections are 1
        original(self, parameters, gradient, learning_rate)

    patch.setattr(Adam, "step", step)


def shifted_by(maximum: Callable[[Array], float]) -> Plant:
    def A(Z: Array) -> Array:
        with np.errstate(over="ignore"):
            E: Array = np.exp(Z - np.float32(maximum(Z)))
        E /= E.sum(axis=1, keepdims=True)
        return E

    return activation("softmax", A=A)


PLANTED: dict[str, tuple[int, Plant]] = {
    "`db` is one number": (2, scalar_bias),
    "`dZ @ W` for `dZ @ W.T`": (2, missing_transpose),
    "taken at `A`": (3, activation("sigmoid", dZ=lambda dA, A: dA / (2 + 2 * np.cosh(A)))),
    "softmax derived element": (3, activation("softmax", dZ=lambda dA, A: dA * A * (1 - A))),
    "ReLU's derivative": (3, activation("relu", dZ=lambda dA, A: dA * np.greater(A, 0, out=A))),
    "target minus probability": (4, cross_entropy(lambda logits, loss, dZ: (loss, -dZ))),
    "no 1/N": (4, cross_entropy(lambda logits, loss, dZ: (loss, len(dZ) * dZ))),
    "logarithm after": (4, cross_entropy(logarithm_last)),
    "without a shift": (9, shifted_by(lambda Z: 0.0)),
    "largest logit of the *batch*": (9, shifted_by(lambda Z: float(Z.max()))),
    "as it stands": (9, activation("sigmoid", A=lambda Z: 1 / (1 + np.exp(-Z)))),
    "the penalty in the gradient": (5, penalty_without_value),
    "Adam without bias correction": (7, adam_without_correction),
}
"""Words of the table's row -> (the section whose check goes red, the mistake)."""


def gradients_agree() -> bool:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(3, 2)), np.array([0, 2, 1])
    hidden = Network.dense([2, 3, 3, 3], "sigmoid", rng=rng)
    output = Network.dense([2, 3], rng=rng, output="softmax")
    return gradcheck(hidden, X, y).ok and gradcheck(output, X, y, "mean-squared-error").ok


def test_gradients_agree_while_nothing_is_planted() -> None:
    assert gradients_agree()


@pytest.mark.parametrize("words", PLANTED)
def test_a_planted_mistake_turns_the_check_red(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [line for line in body(9).splitlines() if line.startswith("|") and "planted" in line]
    assert len(rows) == len(PLANTED)
    (row,) = [row for row in rows if words in row.split("|")[1]]
    section, plant = PLANTED[words]
    assert f"section {section}" in row.split("|")[-2]
    plant(monkeypatch)
    with pytest.raises((AssertionError, ValueError, FloatingPointError)) as caught:
        run(section)
    assert any(Path(entry.path) == DOCUMENT for entry in caught.traceback)
    assert gradients_agree() == ("`gradcheck`" not in row.split("|")[-2])
