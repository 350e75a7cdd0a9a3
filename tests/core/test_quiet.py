"""Quiet blocks."""

from __future__ import annotations

import warnings

from chainrule.core.quiet import without_warnings


def test_a_quiet_block_ignores_its_category_alone() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with without_warnings(DeprecationWarning):
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            warnings.warn("odd", UserWarning, stacklevel=1)
        warnings.warn("old again", DeprecationWarning, stacklevel=1)
    assert [str(each.message) for each in said] == ["odd", "old again"]
