"""`chainrule gradcheck`: every hand-derived gradient against numeric differences."""

from __future__ import annotations

import typer

from chainrule.cli.console import Json, print_json, print_table


def gradcheck(
    seed: int = typer.Option(0, help="Of the small networks."), json: Json = False
) -> None:
    """Check every activation with every loss, with and without penalty and label smoothing.

    Small networks in float64, each parameter nudged. Exit code 1 if any gradient is wrong.
    """
    import numpy as np

    from chainrule.nn.gradient_check import walk

    checks = list(walk(np.random.default_rng(seed)))
    failures = [
        {"activation": activation, "loss": loss, "parameter": f"layer {bad.layer}, {bad.parameter}",
         "error": bad.error}
        for activation, loss, check in checks
        for bad in check.failures
    ]  # fmt: skip
    checked = sum(check.checked for _, _, check in checks)
    worst = max(check.worst for _, _, check in checks)
    ok = all(check.ok for _, _, check in checks)
    if json:
        print_json({"checked": checked, "worst": worst, "ok": ok, "failures": failures})
    else:
        losses = list(dict.fromkeys(loss for _, loss, _ in checks))
        rows: dict[str, list[float]] = {}
        for activation, loss, check in checks:
            row = rows.setdefault(activation, [0.0] * len(losses))
            at = losses.index(loss)
            row[at] = max(row[at], check.worst)
        print_table(
            "largest relative error between derived and numeric gradient",
            ("activation", *losses),
            [(name, *(f"{error:.1e}" for error in row)) for name, row in rows.items()],
        )
        for _, _, check in checks:
            for bad in check.failures:
                print(bad)
        skipped = sum(check.skipped for _, _, check in checks)
        verdict = "all agree" if ok else f"{len(failures)} DIFFER"
        print(f"{checked:,} gradients checked, {skipped} skipped at kinks: {verdict}")
    raise typer.Exit(0 if ok else 1)
