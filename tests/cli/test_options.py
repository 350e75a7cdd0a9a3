"""Every setting is an option, a line of a settings file and a line of `--help`, from one field."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest
import typer

from chainrule.cli.app import app, commands
from chainrule.cli.completion import NAMES, filled
from chainrule.cli.options import option_name
from chainrule.experiments.recipes import RECIPES, combine
from chainrule.experiments.settings import RULES, Settings, as_toml
from chainrule.optim.optimizers import OPTIMIZERS
from chainrule.training.options import GROUPS

ANOTHER = {
    "layers": "784,7,10", "activation": "tanh", "initializer": "glorot",
    "loss": "mean-squared-error", "optimizer": "sgd", "schedule": "cosine", "dtype": "float64",
    "draw": "he-normal", "split": "in-order", "shuffle": None, "batch_norm": None, "compiled": None,
    "scalar_bias_gradient": None,
    "label_smoothing": "0.25", "dropout": "0.25", "input_dropout": "0.25", "average": "0.25",
    "scaling": "0.25",
}  # fmt: skip
"""Settings whose other value is not simply 3; None: a switch."""


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("command", ["", *(command.__name__ for command in commands())])
def test_help_is_whole_at_every_width(command: str, columns: int, chainrule, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    page = chainrule(*filter(None, [command]), "--help").out
    assert max(map(len, page.splitlines())) <= columns
    assert "…" not in page
    program = typer.main.get_command(app)
    shown = program.commands[command] if command else program  # type: ignore[attr-defined]
    context = shown.make_context(command or "chainrule", [], resilient_parsing=True)
    flat = " ".join(page.split())
    records = [parameter.get_help_record(context) for parameter in shown.get_params(context)]
    for name, text in filter(None, records):
        assert " ".join(f"{name} {filled(text)}".split()) in flat
    assert " ".join(shown.help.split()) in flat


def test_train_has_the_groups_as_headings_in_their_order(chainrule) -> None:
    page = chainrule("train", "--help").out
    headings = re.findall(r"^(\w+):$", page, re.MULTILINE)
    assert headings == ["Options", *(group.capitalize() for group in GROUPS)]


def test_every_setting_stands_in_help_under_its_group_with_choices_and_default(
    chainrule, monkeypatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page = chainrule("train", "--help").out
    sections = {
        part.partition(":\n")[0].lower(): " ".join(part.split())
        for part in page.split("\n\n")
        if re.match(r"\w+:\n", part)
    }
    for each in fields(Settings):
        rule = RULES[each.name]
        section = sections[rule.group]
        assert f" {option_name(each.name)} " in section
        assert rule.help in section
        if rule.choices:
            assert f"One of {', '.join(filter(None, rule.choices()))}." in section
    assert "[default: 128; recipe fast: 512]" in sections["optimizer"]


@pytest.mark.parametrize("name", [each.name for each in fields(Settings)])
def test_every_setting_is_read_from_the_command_line_and_from_a_file(
    name: str, tmp_path: Path, monkeypatch
) -> None:
    asked: dict[str, object] = {}

    class Read(Exception):
        """Ends the command as soon as its settings are read."""

    def reading(
        recipe: str = "", *, file: Path | None = None, flags: dict[str, object], usual: str = ""
    ) -> None:
        asked.update(flags)
        raise Read

    monkeypatch.setattr("chainrule.experiments.recipes.combine", reading)
    value, option = ANOTHER.get(name, "3"), option_name(name)
    if value is None:
        arguments = [f"--no-{option[2:]}" if getattr(Settings, name) else option]
    else:
        arguments = [option, value]
    program = typer.main.get_command(app)
    with pytest.raises(Read):
        program.main(["train", *arguments], standalone_mode=False)
    monkeypatch.undo()
    assert set(asked) == {name}
    settings, _ = combine("fast", flags=asked)
    assert getattr(settings, name) != getattr(Settings, name)
    file = tmp_path / "settings.toml"
    file.write_text(as_toml(settings))
    assert combine(file=file)[0] == settings
    assert name in tomllib.loads(file.read_text())["settings"]


def test_a_settings_file_has_every_setting_by_group() -> None:
    written = list(tomllib.loads(as_toml(Settings()))["settings"])
    assert sorted(written) == sorted(each.name for each in fields(Settings))
    assert [*dict.fromkeys(RULES[name].group for name in written)] == list(GROUPS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--recipe", "fsat"], "unknown recipe 'fsat': did you mean fast? choose one of fast,"),
        (["--optimizer", "adm"], "optimizer = 'adm': did you mean adam? choose one of sgd,"),
        (["--activation", "relu,tahn"], "activation = 'tahn': did you mean tanh?"),
        (["--loss", "softmax"], "did you mean softmax-cross-entropy?"),
        (["--schedule", "Cosine"], "did you mean cosine?"),
        (["--initializer", "golrot"], "did you mean glorot?"),
        (["--dtype", "float23"], "did you mean float32?"),
        (["--draw", "henormal"], "did you mean he-normal?"),
        (["--config", "wrong.toml"], "unknown setting 'epoch': did you mean epochs? choose one of"),
        (["--learning-rat", "1"], "--learning-rate"),
    ],
)
def test_a_misspelt_name_is_told_the_nearest(arguments, sentence, chainrule, tmp_path) -> None:
    (tmp_path / "wrong.toml").write_text("epoch = 3\n")
    done = chainrule("train", *arguments)
    assert done.code == 2
    assert sentence in done.err


def test_a_misspelt_data_set_or_article_is_told_the_nearest(chainrule) -> None:
    done = chainrule("train", "--data", "mnits")
    assert done.code == 1
    assert "mnits does not exist: did you mean mnist?" in done.err
    done = chainrule("reproduce", "relu-54")
    assert done.code == 2
    assert "did you mean relu-45?" in done.err


def asking(line: str, shell: str) -> dict[str, str]:
    """The variables in which a shell asks for completions of a line's last word."""
    return {
        "_CHAINRULE_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
        "_TYPER_COMPLETE_ARGS": line,
    }


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("train --recipe f", ["fast"]),
        ("train --recipe ", list(RECIPES)),
        ("train --optimizer ", list(OPTIMIZERS)),
        ("train --activation relu,ta", ["relu,tanh"]),
        ("train --data fas", ["fashion-mnist"]),
        ("train --resume mi", ["mine", "minor"]),
        ("train --batch-", ["--batch-norm", "--batch-size"]),
        ("evaluate o", ["other"]),
        ("committee five --members mine,o", ["mine,other"]),
        ("distort --recipe acc", ["accurate"]),
        ("reproduce sigmoid-1", ["sigmoid-128-64"]),
    ],
)
def test_the_shell_completes_names_from_the_tables_and_runs_from_the_disk(
    line: str, offered: list[str], chainrule, monkeypatch, tmp_path: Path
) -> None:
    for run in ("mine", "minor", "other"):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "config.toml").touch()
    (tmp_path / "runs" / "minus-its-config").mkdir()
    for name, value in asking(f"chainrule {line}", "bash").items():
        monkeypatch.setenv(name, value)
    assert chainrule().out.split() == offered


def test_zsh_is_answered_by_a_process_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chainrule"],
        capture_output=True, text=True, check=True,
        env=os.environ | asking("chainrule train --optimizer ada", "zsh"),
    )  # fmt: skip
    assert re.findall(r'"([^"]+)"', done.stdout) == ["adam", "adamw"]
    assert done.stderr == ""


def test_help_and_completion_of_recipes_load_no_numpy() -> None:
    code = (
        "import sys; from chainrule.cli.completion import completer, recipes;"
        "print(completer(recipes)('rec'), 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['record'] False\n"


def test_every_placeholder_of_a_help_text_has_names() -> None:
    assert all([*filter(None, names())] for names in NAMES.values())
    assert filled("a {recipe} b") == f"a {', '.join(RECIPES)} b"


def test_settings_out_of_range_cannot_be_made() -> None:
    with pytest.raises(ValueError, match=r"rotation = 181\.0: give a number from 0 to 180"):
        replace(Settings(), rotation=181.0)
