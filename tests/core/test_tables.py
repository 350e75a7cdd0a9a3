"""A table answers with its row, or with the list of what it has."""

from __future__ import annotations

import pytest

from chainrule.core.tables import Table
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.initializers import INITIALIZERS
from chainrule.nn.losses import LOSSES
from chainrule.optim.optimizers import OPTIMIZERS
from chainrule.optim.schedules import SCHEDULES

PUBLIC = {
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
}


def test_a_known_name_gives_its_row() -> None:
    assert Table("fruit", {"apple": 1, "pear": 2})["pear"] == 2


@pytest.mark.parametrize("name", ["plum", "Apple", "", None, 3])
def test_an_unknown_name_is_repeated_and_the_choices_are_listed(name: object) -> None:
    table = Table("fruit", {"apple": 1, "pear": 2})
    with pytest.raises(
        ValueError, match=r"^unknown fruit .*: (did you mean apple[?] )?choose one of apple, pear$"
    ) as e:
        table[name]  # type: ignore[index]
    assert repr(name) in str(e.value)


def test_asking_for_an_unknown_name_adds_no_row() -> None:
    table = Table("fruit", {"apple": 1})
    with pytest.raises(ValueError, match="plum"):
        table["plum"]
    assert dict(table) == {"apple": 1}


@pytest.mark.parametrize("noun", PUBLIC)
def test_each_public_table_says_what_it_holds(noun: str) -> None:
    with pytest.raises(ValueError, match=f"^unknown {noun} 'nonsense'") as caught:
        PUBLIC[noun]["nonsense"]
    assert all(name in str(caught.value) for name in PUBLIC[noun])
