"""An epoch shows each example once, in an order that the generator decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.core.arrays import Array
from chainrule.data.batches import Gather, Rows, batch_rows, count, parts_of


def numbered(examples: int) -> tuple[Array, Array]:
    """Images that say in each pixel which example they are, and labels that say it too."""
    images = np.repeat(np.arange(examples, dtype=np.float32)[:, None], 3, axis=1)
    return images, np.arange(examples)


def seen(
    examples: tuple[Array, Array], batch_size: int, rng: np.random.Generator | None
) -> list[tuple[Array, Array]]:
    """Copies of what one epoch gives."""
    gather = Gather(*examples)
    batches = map(gather, batch_rows(len(examples[1]), batch_size, rng))
    return [(X.copy(), y.copy()) for X, y, _ in batches]


@given(examples=st.integers(1, 50), batch_size=st.integers(1, 60), shuffled=st.booleans())
def test_an_epoch_has_each_example_once_with_its_own_label(
    examples: int, batch_size: int, shuffled: bool
) -> None:
    epoch = seen(numbered(examples), batch_size, np.random.default_rng(1) if shuffled else None)
    order = np.concatenate([y for _, y in epoch])
    assert sorted(order) == list(range(examples))
    assert all(np.array_equal(X, np.repeat(y[:, None], 3, axis=1)) for X, y in epoch)
    assert all(len(y) == min(batch_size, examples) for _, y in epoch[:-1])
    assert 1 <= len(epoch[-1][1]) <= batch_size


def test_the_last_batch_holds_the_rest() -> None:
    assert [len(y) for _, y in seen(numbered(10), 4, None)] == [4, 4, 2]
    assert [count(rows) for rows in batch_rows(10, 4)] == [4, 4, 2]


@given(total=st.integers(1, 50), size=st.integers(1, 60), listed=st.booleans())
def test_parts_are_the_rows_in_order_none_twice_none_lost(
    total: int, size: int, listed: bool
) -> None:
    everything = np.arange(100)
    rows: Rows = everything[7 : 7 + total] if listed else slice(7, 7 + total)
    parts = list(parts_of(rows, size))
    assert np.array_equal(np.concatenate([everything[part] for part in parts]), everything[rows])
    assert max(count(part) for part in parts) <= size
    assert count(rows) == total


def test_without_a_generator_the_order_is_that_of_the_file_without_copies() -> None:
    images, labels = numbered(10)
    gather = Gather(images, labels)
    for start, rows in zip((0, 4, 8), batch_rows(10, 4), strict=True):
        X, y, _ = gather(rows)
        assert np.shares_memory(X, images)
        assert np.shares_memory(y, labels)
        assert y[0] == start


def test_one_seed_gives_one_order_and_another_seed_another() -> None:
    first, again, other = (
        np.concatenate([y for _, y in seen(numbered(100), 10, np.random.default_rng(seed))])
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first, np.arange(100))


def test_two_epochs_of_one_generator_differ() -> None:
    rng = np.random.default_rng(0)
    first, second = (seen(numbered(100), 100, rng)[0][1] for _ in range(2))
    assert not np.array_equal(first, second)


def test_shuffled_batches_share_one_block_of_memory() -> None:
    images, labels = numbered(10)
    gather = Gather(images, labels)
    addresses = {
        gather(rows)[0].ctypes.data
        for _ in (1, 2)
        for rows in batch_rows(10, 4, np.random.default_rng(0))
    }
    assert len(addresses) == 1
    assert np.array_equal(images, numbered(10)[0])


@pytest.mark.parametrize("width", [np.uint8, np.int32, np.int64])
def test_types_are_kept(width: type) -> None:
    images, labels = numbered(6)
    for rng in (None, np.random.default_rng(0)):
        for X, y in seen((images, labels.astype(width)), 4, rng):
            assert X.dtype == np.float32
            assert y.dtype == width


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_of_nothing_is_refused(batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"^batch size {batch_size}: .* at least one example"):
        batch_rows(3, batch_size)


def test_a_batch_larger_than_the_data_is_the_data() -> None:
    assert [len(y) for _, y in seen(numbered(3), 10**12, np.random.default_rng(0))] == [3]
