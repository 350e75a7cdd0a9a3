"""One place for a setting: what its field says is what train, files and the command line use."""

from __future__ import annotations

import inspect
from dataclasses import fields
from math import nan
from pathlib import Path

import pytest

from chainrule.core.errors import ConfigError
from chainrule.experiments.settings import RULES, Settings, as_toml, checked, read_toml
from chainrule.training.options import GROUPS, Options, Rule, rules
from chainrule.training.train import train

NUMBERS = [name for name in RULES if isinstance(getattr(Settings, name), (int, float))]
WORDS = [name for name, rule in RULES.items() if rule.choices]


def test_train_has_each_option_as_a_keyword_with_the_default_of_its_field() -> None:
    keywords = inspect.signature(train).parameters
    assert {each.name: keywords[each.name].default for each in fields(Options)} == {
        each.name: each.default for each in fields(Options)
    }


@pytest.mark.parametrize("name", [each.name for each in fields(Settings)])
def test_every_setting_has_help_a_group_and_a_default_that_its_own_rule_allows(name: str) -> None:
    rule = RULES[name]
    assert rule.group in GROUPS
    assert rule.help.endswith((".", ")"))
    assert checked(name, getattr(Settings, name)) == getattr(Settings, name)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_beside_its_range_is_refused_alone_and_in_settings(name: str) -> None:
    rule, kind = RULES[name], type(getattr(Settings, name))
    if kind is bool:
        return
    for wrong in (rule.low - 1, rule.high + 1):
        if abs(wrong) >= 2**63:
            continue
        sentence = rf"^{name} = .*: give a number from {rule.low:g} to {rule.high:g}$"
        with pytest.raises(ConfigError, match=sentence.replace("+", r"\+")):
            checked(name, kind(wrong))
        with pytest.raises(ConfigError, match=f"^{name} = "):
            Settings(**{name: kind(wrong)})
    with pytest.raises(ConfigError, match=f"^{name} = nan"):
        RULES[name].check(name, nan)


@pytest.mark.parametrize("name", WORDS)
def test_each_choice_of_the_tables_is_allowed_and_no_other_word(name: str) -> None:
    choices = RULES[name].choices
    assert choices is not None
    for word in choices():
        assert checked(name, word) in (word, (word,))
    with pytest.raises(ConfigError, match=f"^{name} = 'nonsense': choose one of "):
        checked(name, "nonsense")


def test_the_losses_of_train_are_the_tables_and_those_of_settings_the_articles_too() -> None:
    narrow, wide = rules(Options)["loss"].choices, RULES["loss"].choices
    assert narrow is not None
    assert wide is not None
    assert set(narrow()) < set(wide())


def test_a_file_of_the_order_before_the_groups_reads_the_same(tmp_path: Path) -> None:
    """As config.toml had it in 0.1.0: no order means anything."""
    first, *lines = as_toml(Settings(epochs=3)).splitlines()
    file = tmp_path / "config.toml"
    file.write_text("\n".join([first, *reversed([line for line in lines if line])]))
    assert Settings(**{name: checked(name, value) for name, value in read_toml(file).items()}) == (
        Settings(epochs=3)
    )


def test_a_rule_without_choices_takes_no_word() -> None:
    with pytest.raises(ConfigError, match=r"^size = 'big': give a number from 0 to inf"):
        Rule("Size.", "data").check("size", "big")
