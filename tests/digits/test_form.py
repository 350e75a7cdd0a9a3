"""Polarity and frame are measured on the training images; pictures are brought into them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.core.arrays import Array
from chainrule.core.errors import DataError
from chainrule.data.dataset import Dataset, Found
from chainrule.digits.form import departure, in_words, measure
from chainrule.digits.preprocess import normalize, seen_by
from chainrule.nn.preprocessing import MNIST, Preprocessing
from helpers.photos import pasted
from helpers.sets import SETS


def rows(images: Array) -> Array:
    return images.reshape(len(images), -1) / np.float32(255)


def form_of(images: Array) -> Preprocessing:
    form = measure(rows(images), (images.shape[1], images.shape[2]))
    assert form is not None
    return form


def likeness(one: Array, other: Array) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_mnists_form_is_the_one_that_it_publishes(mnist: Dataset) -> None:
    form = measure(mnist.train.images, mnist.shape)
    assert form is not None
    assert (form.background, form.ink, form.one_polarity, form.blank) == (0.0, 1.0, True, False)
    assert (form.centring, form.centre) == ("mass", (14, 14))
    assert form.box[1:] == (20, 20)
    assert all(not departure(image.reshape(28, 28), form) for image in mnist.test.images)


@pytest.mark.parametrize(
    ("name", "background", "ink", "box", "centring"),
    [
        ("digits", 0, 1, 20, "mass"),
        ("black_on_white", 1, 0, 20, "mass"),
        ("filling_24_pixels", 0, 1, 24, "box"),
        ("grey_paper_with_noise", 210 / 255, (210 - 178.5) / 255, 20, "mass"),
    ],
)
def test_the_form_of_a_set_is_what_it_was_made_with(
    sample: Found, name: str, background: float, ink: float, box: int, centring: str
) -> None:
    form = form_of(SETS[name](sample)[0])
    assert form.background == pytest.approx(background, abs=0.01)
    assert form.ink == pytest.approx(ink, abs=0.04)
    assert form.box[1] == box
    assert form.centring == centring


@pytest.mark.parametrize("name", ["of_either_polarity", "gradients"])
def test_images_without_a_common_background_have_no_form(sample: Found, name: str) -> None:
    images = SETS[name](sample)[0]
    form = form_of(images)
    assert form.background is None
    assert not any(departure(image, form) for image in rows(images).reshape(images.shape))
    assert "scaled whole" in in_words(form, images.shape[1:])


def test_the_rows_of_a_table_are_no_pictures() -> None:
    assert measure(np.zeros((9, 13), np.float32), (1, 13)) is None


@pytest.mark.parametrize("name", ["black_on_white", "filling_24_pixels", "grey_paper_with_noise"])
@pytest.mark.parametrize("paper", [40, 230])
def test_a_photo_of_a_training_image_becomes_that_image(
    sample: Found, name: str, paper: int
) -> None:
    """Enlarged, on paper of either colour. MNIST's own digits get 0.93 in this way."""
    images = SETS[name](sample)[0]
    form, found = form_of(images), []
    for image in images[:40]:
        ink = form.amount(rows(image[None])).reshape(28, 28)
        large = np.kron(np.where(ink > 0.1, ink, 0), np.ones((9, 9)))
        photo = paper + large * ((20 if paper > 128 else 220) - paper)
        seen = seen_by(Image.fromarray(photo.astype(np.uint8)), (28, 28), form, digits=False)
        found.append(likeness(seen.digits[0].pixels, image))
    assert np.mean(found) > 0.9


def test_several_digits_are_found_in_any_form(sample: Found) -> None:
    images = SETS["filling_24_pixels"](sample)[0]
    sheet = Image.fromarray(pasted(images[:3] / 255, [(20, 20), (20, 90), (20, 160)]))
    seen = seen_by(sheet, (28, 28), form_of(images), digits=True)
    assert len(seen.digits) == 3
    for digit, image in zip(seen.digits, images, strict=False):
        assert likeness(digit.pixels, image) > 0.8


def test_a_picture_of_the_other_polarity_is_turned_and_it_is_said(sample: Found) -> None:
    image = sample.train.images[0]
    seen = seen_by(Image.fromarray(255 - image), (28, 28), MNIST, digits=False)
    assert seen.notes == ("inverted, compared with the training images: converted",)
    np.testing.assert_array_equal(seen.digits[0].pixels, image / np.float32(255))


def test_a_picture_far_from_every_frame_of_training_is_framed_anew(sample: Found) -> None:
    image = sample.train.images[0]
    moved = np.roll(image, (-4, 4), (0, 1))
    seen = seen_by(Image.fromarray(moved), (28, 28), MNIST, digits=False)
    assert seen.notes == ("framed otherwise, compared with the training images: converted",)
    np.testing.assert_array_equal(seen.digits[0].pixels, image / np.float32(255))


def test_a_picture_that_training_came_close_to_is_taken_as_it_is(sample: Found) -> None:
    moved = np.roll(sample.train.images[0], (1, -1), (0, 1))
    seen = seen_by(Image.fromarray(moved), (28, 28), MNIST, digits=False)
    assert seen.notes == ()
    np.testing.assert_array_equal(seen.digits[0].pixels, moved / np.float32(255))


def test_a_blank_picture_is_refused_unless_training_had_blank_ones(sample: Found) -> None:
    blank = Image.new("L", (28, 28), 0)
    with pytest.raises(DataError, match="nothing is drawn"):
        seen_by(blank, (28, 28), MNIST, digits=False)
    images = sample.train.images.copy()
    images[3] = 0
    assert not seen_by(blank, (28, 28), form_of(images), digits=False).digits[0].pixels.any()


def test_a_picture_without_a_known_form_must_have_the_size() -> None:
    picture = Image.new("L", (9, 8), 30)
    assert seen_by(picture, (8, 9), None, digits=False).digits[0].pixels.shape == (8, 9)
    with pytest.raises(DataError, match="9 x 8 pixels, the network takes 8 x 8"):
        seen_by(picture, (8, 8), None, digits=False)


def test_a_photograph_is_scaled_whole_and_keeps_its_proportions(sample: Found) -> None:
    form = form_of(SETS["gradients"](sample)[0])
    wide = np.zeros((30, 90), np.uint8)
    wide[:, 45:] = 200
    pixels = seen_by(Image.fromarray(wide), (12, 20), form, digits=True).digits[0].pixels
    assert pixels.shape == (12, 20)
    np.testing.assert_allclose(pixels[3:9, :9], 0, atol=1e-6)
    np.testing.assert_allclose(pixels[3:9, 11:], 200 / 255, atol=1e-6)


def test_what_is_left_out_is_counted(mnist: Dataset) -> None:
    sheet = pasted(mnist.test.images[:2].reshape(-1, 28, 28), [(40, 30), (40, 110)])
    alone = seen_by(Image.fromarray(sheet), (28, 28), MNIST, digits=True)
    assert alone.notes == ()
    sheet[110:114, 5:-5] = 0  # a line below
    sheet[60:70, 92:102] = 0  # a dot between
    seen = seen_by(Image.fromarray(sheet), (28, 28), MNIST, digits=True)
    assert len(seen.digits) == 2
    assert seen.notes == ("left out: 2 strokes taken for lines, dots or dashes",)


@pytest.mark.parametrize("shape", [(20, 40), (40, 20), (24, 24)])
def test_a_digit_fits_a_field_of_any_proportion(shape: tuple[int, int]) -> None:
    form = Preprocessing(
        background=0.0, ink=1.0, one_polarity=True, blank=False, box=(18, 20, 22),
        centring="box", centre=shape, spread=1,
    )  # fmt: skip
    for height, width in ((19, 19), (20, 9), (6, 30), (50, 45), (38, 38), (3, 90), (90, 3)):
        sheet = np.full((height + 20, width + 20), 250, np.uint8)
        sheet[10:-10, 10:-10] = 0
        pixels = normalize(sheet, form, shape)
        assert pixels.shape == shape
        rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
        tall, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        assert 19 <= max(tall, wide) <= 20
        factor = max(tall, wide) / max(height, width)
        assert tall == pytest.approx(height * factor, abs=1)
        assert wide == pytest.approx(width * factor, abs=1)


def test_the_form_is_kept_in_the_model_file(tmp_path: Path, sample: Found) -> None:
    from chainrule.nn.model_file import Model, load_model, save
    from chainrule.nn.network import Network

    network = Network.dense([784, 3], rng=np.random.default_rng(0))
    for name in SETS:
        images = SETS[name](sample)[0]
        if images[0].size == 784:
            model = Model(network, shape=(28, 28), preprocessing=form_of(images))
            again = load_model(save(model, tmp_path / "m.safetensors"))
            assert again.preprocessing == model.preprocessing
    assert load_model(save(network, tmp_path / "n.safetensors")).form is None
    old = load_model(save(Model(network, shape=(28, 28)), tmp_path / "o.safetensors"))
    assert old.form == MNIST


@pytest.mark.parametrize(
    "broken",
    [
        {"background": -0.1}, {"background": "dark"}, {"ink": 2}, {"ink": float("nan")},
        {"box": [19, 18, 20]}, {"box": [1, 2]}, {"box": [0.5, 1, 2]}, {"box": [1, 2, 2**40]},
        {"centring": "left"}, {"centre": [14]}, {"centre": [-1, 3]}, {"spread": "2"},
        {"spread": None}, {"background": []},
    ],
)  # fmt: skip
def test_a_form_that_cannot_be_is_refused(broken: dict) -> None:
    with pytest.raises((ValueError, TypeError)):
        Preprocessing.from_json(MNIST.as_json() | broken)
    with pytest.raises(KeyError):
        Preprocessing.from_json({"ink": 1})
