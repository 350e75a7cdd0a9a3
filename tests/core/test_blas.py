"""The command line picks OpenBLAS's kernel where OpenBLAS would pick an old one, and only there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from chainrule.core.blas import VARIABLE, choose_kernel, misjudged, read_cpuinfo

ZEN_5 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 26
model\t\t: 2
flags\t\t: fpu sse2 avx2 avx512f avx512_vnni

processor\t: 1
vendor_id\t: GenuineIntel
"""


def test_zen_5_with_avx_512_gets_the_skylakex_kernel() -> None:
    environment: dict[str, str] = {}
    assert choose_kernel(environment, ZEN_5)
    assert environment == {VARIABLE: "SkylakeX"}


def test_a_kernel_that_the_user_chose_stays() -> None:
    environment = {VARIABLE: "Haswell"}
    assert not choose_kernel(environment, ZEN_5)
    assert environment == {VARIABLE: "Haswell"}


@pytest.mark.parametrize(
    ("field", "other"),
    [("AuthenticAMD", "GenuineIntel"), (": 26", ": 25"), (" avx512f", ""), (ZEN_5, "")],
)
def test_any_other_processor_is_left_to_openblas(field: str, other: str) -> None:
    environment: dict[str, str] = {}
    assert not choose_kernel(environment, ZEN_5.replace(field, other))
    assert environment == {}


def test_this_machines_own_description_can_be_read() -> None:
    assert misjudged(read_cpuinfo()) in (True, False)


def test_the_command_asks_before_numpy_is_loaded_and_an_import_never_does() -> None:
    probe = """
import sys
import chainrule.cli, chainrule.core.blas
assert "numpy" not in sys.modules
chainrule.core.blas.read_cpuinfo = lambda: cpuinfo
cpuinfo = {cpuinfo!r}
sys.argv = ["chainrule", "--version"]
try:
    chainrule.cli.main()
except SystemExit:
    pass
import os
print(os.environ.get("OPENBLAS_CORETYPE"))
"""
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    for cpuinfo, chosen in ((ZEN_5, "SkylakeX"), ("", "None")):
        done = subprocess.run(
            [sys.executable, "-c", probe.format(cpuinfo=cpuinfo)],
            capture_output=True, text=True, check=True, env=environment,
        )  # fmt: skip
        assert done.stdout.split()[-1] == chosen
    done = subprocess.run(
        [sys.executable, "-c", "import chainrule as cr, os; cr.train; print(os.environ)"],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    assert VARIABLE not in done.stdout
