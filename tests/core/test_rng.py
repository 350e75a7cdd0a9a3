"""Generators by number: NumPy's own children, whatever was drawn before, no two of them alike."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from chainrule.core.rng import fold_in


def drawn(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(rng.integers(0, 2**63, 4).tolist())


@pytest.mark.parametrize("seed", [0, 1, 2**100, [3, 4]])
def test_one_number_is_the_child_that_numpy_spawns_under_it(seed: int | list[int]) -> None:
    children = np.random.default_rng(seed).spawn(6)
    mine = [fold_in(np.random.default_rng(seed), number) for number in range(6)]
    assert [drawn(child) for child in children] == [drawn(rng) for rng in mine]


def test_several_numbers_are_the_childs_child() -> None:
    child = np.random.default_rng(7).spawn(3)[2].spawn(5)[4].spawn(1)[0]
    assert drawn(fold_in(np.random.default_rng(7), 2, 4, 0)) == drawn(child)
    spawned = np.random.default_rng(7).spawn(3)[2]
    assert drawn(fold_in(spawned, 4, 0)) == drawn(fold_in(np.random.default_rng(7), 2, 4, 0))


def test_what_was_drawn_or_spawned_before_makes_no_difference() -> None:
    fresh, used = np.random.default_rng(5), np.random.default_rng(5)
    used.random(1000)
    used.spawn(3)
    fold_in(used, 1).random(1000)
    assert drawn(fold_in(used, 1)) == drawn(fold_in(fresh, 1))


def test_deriving_draws_nothing_from_the_generator() -> None:
    rng = np.random.default_rng(5)
    fold_in(rng, 1, 2, 3)
    assert drawn(rng) == drawn(np.random.default_rng(5))
    assert drawn(rng.spawn(1)[0]) == drawn(np.random.default_rng(5).spawn(1)[0])


def test_epochs_steps_and_shares_have_each_their_own() -> None:
    rng = np.random.default_rng(0)
    # As training numbers them: an epoch has one number, a share of a step 0, the step, the share.
    epochs = [(epoch,) for epoch in range(1, 300)]
    shares = [(0, step, share) for step, share in product(range(300), range(4))]
    firsts = {drawn(fold_in(rng, *numbers)) for numbers in epochs + shares}
    assert len(firsts | {drawn(rng)}) == len(epochs) + len(shares) + 1


def test_the_order_and_the_count_of_the_numbers_matter() -> None:
    rng = np.random.default_rng(0)
    numbers = [(), (0,), (0, 0), (0, 0, 0), (1,), (1, 0), (0, 1), (0, 1, 0), (0, 0, 1), (2**40,)]
    assert len({drawn(fold_in(rng, *each)) for each in numbers}) == len(numbers)


def test_another_seed_has_other_children() -> None:
    assert len({drawn(fold_in(np.random.default_rng(seed), 1)) for seed in range(100)}) == 100


def test_a_generator_of_another_kind_keeps_its_seed_and_gives_the_usual_kind() -> None:
    other = np.random.Generator(np.random.Philox(5))
    assert isinstance(fold_in(other, 1).bit_generator, np.random.PCG64)
    assert drawn(fold_in(other, 1)) == drawn(fold_in(np.random.default_rng(5), 1))
