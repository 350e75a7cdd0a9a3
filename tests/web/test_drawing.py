"""People draw on the page: by mouse, finger and keys, off-centre and thin, and look inside."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chainrule.data.dataset import Dataset
from chainrule.nn.model_file import load_model
from chainrule.service.pictures import look_at
from chainrule.service.requests import Form
from helpers.strokes import Strokes, drawn
from web.conftest import ADDRESS, PHONE, OpenPage


@pytest.fixture
def sheet(visit: OpenPage, reader_page: dict[str, bytes]) -> Any:
    return opened(visit, reader_page)


def opened(visit: OpenPage, reader_page: dict[str, bytes], **options: Any) -> Any:
    page = visit(ADDRESS, given=reader_page, **options)
    page.wait_for_selector("#page:not([hidden])")
    return page


def draw(page: Any, strokes: Strokes) -> None:
    """By mouse; points are in 0..1 of the sheet."""
    box = page.locator("#sheet").bounding_box()
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()
    settle(page)


def settle(page: Any) -> None:
    """Two frames later all views are those of the last stroke."""
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def answer(page: Any) -> str:
    strong = page.locator("#answer strong")
    return strong.inner_text() if strong.count() else page.locator("#answer").inner_text()


def percents(page: Any) -> list[float]:
    texts = page.locator("#bars .percent").all_inner_texts()
    return [float(text.rstrip(" %")) for text in texts]


def best(page: Any) -> int:
    return int(np.argmax(percents(page)))


def centred(digit: int) -> Strokes:
    return drawn(digit, np.random.default_rng(digit), left=0.25, top=0.15, side=0.7)


@pytest.mark.parametrize("digit", [3, 7])
def test_a_drawn_digit_is_read(sheet: Any, digit: int) -> None:
    draw(sheet, centred(digit))
    assert answer(sheet) == str(digit)
    assert sum(percents(sheet)) == pytest.approx(100, abs=0.6)


def test_ten_digits_drawn_small_thin_and_in_a_corner_are_read_nine_times(sheet: Any) -> None:
    rng = np.random.default_rng(6)
    sheet.locator("#brush").fill("8")
    read = []
    for digit in range(10):
        sheet.locator("#clear").click()
        left, top = rng.uniform(0.05, 0.5, 2)
        draw(sheet, drawn(digit, rng, left=left, top=top, side=0.4))
        read.append(best(sheet))
    assert sum(got == digit for digit, got in enumerate(read)) >= 9, read


def test_an_empty_sheet_is_no_digit_and_undo_and_clear_lead_back_to_it(sheet: Any) -> None:
    assert answer(sheet) == "Nothing drawn yet."
    draw(sheet, centred(4))
    whole = percents(sheet)
    draw(sheet, [[(0.1, 0.1), (0.9, 0.1)]])
    assert percents(sheet) != whole
    sheet.locator("#undo").click()
    settle(sheet)
    assert percents(sheet) == whole
    sheet.locator("#clear").click()
    settle(sheet)
    assert answer(sheet) == "Nothing drawn yet."


def test_a_finger_draws_on_a_phone_and_the_page_does_not_scroll(
    visit: OpenPage, reader_page: dict[str, bytes]
) -> None:
    page = opened(visit, reader_page, size=PHONE, touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.locator("#sheet").scroll_into_view_if_needed()
    box = page.locator("#sheet").bounding_box()
    finger = page.context.new_cdp_session(page)
    for stroke in centred(7):
        points = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"]} for x, y in stroke
        ]
        kinds = ["touchStart"] + ["touchMove"] * (len(points) - 1)
        for kind, point in zip(kinds, points, strict=True):
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    settle(page)
    assert answer(page) == "7"
    assert page.locator("#sheet").bounding_box() == box


def test_a_one_is_drawn_by_keys_alone(sheet: Any) -> None:
    sheet.locator("#sheet").focus()
    for key in ["ArrowUp"] * 10 + [" "] + ["ArrowDown"] * 20 + [" "]:
        sheet.keyboard.press(key)
    settle(sheet)
    assert best(sheet) == 1
    sheet.keyboard.press("z")
    settle(sheet)
    assert answer(sheet) == "Nothing drawn yet."


def test_below_the_threshold_it_says_that_it_is_not_sure(sheet: Any) -> None:
    draw(sheet, centred(7))
    draw(sheet, centred(3))
    assert max(percents(sheet)) < 99
    sheet.locator("#sure").fill("99")
    settle(sheet)
    assert answer(sheet) == "?"
    assert "not sure: perhaps" in sheet.locator("#answer").inner_text()


def test_a_neuron_turned_off_changes_the_answer_and_back_on_gives_it_again(sheet: Any) -> None:
    draw(sheet, centred(3))
    before = percents(sheet)
    output = sheet.locator("#layers canvas").last
    box = output.bounding_box()
    output.click(position={"x": box["width"] * 0.35, "y": box["height"] / 2})
    assert sheet.locator("#neuron-title").inner_text() == "Output “3”"
    sheet.locator("#switch").click()
    settle(sheet)
    assert percents(sheet)[3] < before[3]
    assert "turned off" in sheet.locator("#activation").inner_text()
    sheet.locator("#all-on").click()
    settle(sheet)
    assert percents(sheet) == before


def number(text: str) -> float:
    """A number as the page writes it, with a true minus sign."""
    return float(text.replace("\N{MINUS SIGN}", "-"))


def test_the_arithmetic_of_a_neuron_adds_up(sheet: Any) -> None:
    draw(sheet, centred(8))
    first = sheet.locator("#layers canvas").first
    first.focus()
    sheet.keyboard.press("ArrowRight")
    sheet.keyboard.press("Enter")
    assert sheet.locator("#neuron-title").inner_text() == "Layer 1, neuron 2"
    rows = sheet.locator("#terms tr:has(td)").all()
    cells = [[cell.inner_text() for cell in row.locator("th, td").all()] for row in rows]
    products = [number(row[-1]) for row in cells]
    for row in cells:
        if row[1]:
            assert number(row[1]) * number(row[2]) == pytest.approx(number(row[3]), abs=3e-4)
    z = number(sheet.locator("#sum").inner_text().rsplit("= ")[-1])
    assert sum(products) == pytest.approx(z, abs=1e-3)


def test_pointing_at_another_neuron_moves_nothing_on_the_page(sheet: Any) -> None:
    draw(sheet, centred(3))
    height = "document.documentElement.scrollHeight"
    heights = set()
    for plate in sheet.locator("#layers canvas").all():
        for share in (0.1, 0.5, 0.9):
            box = plate.bounding_box()
            plate.hover(position={"x": box["width"] * share, "y": box["height"] / 2})
            heights.add(sheet.evaluate(height))
    assert len(heights) == 1


def test_another_class_shows_other_evidence(sheet: Any) -> None:
    draw(sheet, centred(8))
    picture = "() => document.getElementById('evidence').toDataURL()"
    own = sheet.evaluate(picture)
    sheet.locator("#bars button").nth(3).click()
    assert "“3”" in sheet.locator("#evidence-class").inner_text()
    assert sheet.evaluate(picture) != own


def photo(mnist: Dataset, indices: list[int]) -> bytes:
    """Dark ink on grey paper, three times MNIST's size, in a row."""
    sheet = np.full((140, 40 + 110 * len(indices)), 200.0)
    for place, i in enumerate(indices):
        digit = np.kron(mnist.test.images[i].reshape(28, 28), np.ones((3, 3)))
        sheet[25:109, 20 + 110 * place :][:, :84] -= 160 * digit
    file = io.BytesIO()
    Image.fromarray(sheet.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_a_dropped_photo_is_read_digit_by_digit(sheet: Any, mnist: Dataset, tmp_path: Path) -> None:
    indices = [0, 1, 2, 3, 4]
    drop = """async bytes => {
        const file = new File([new Uint8Array(bytes)], "number.png", {type: "image/png"});
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(file);
        document.getElementById("sheet").dispatchEvent(
            new DragEvent("drop", {dataTransfer, bubbles: true, cancelable: true}));
    }"""
    sheet.evaluate(drop, list(photo(mnist, indices)))
    sheet.wait_for_selector("#found:not([hidden])")
    labels = sheet.locator("#found-list button span").all_inner_texts()
    assert labels == [str(mnist.test.labels[i]) for i in indices]
    sheet.locator("#found-list button").nth(2).click()
    assert best(sheet) == mnist.test.labels[2]
    box = sheet.locator("#sheet").bounding_box()
    sheet.mouse.click(box["x"] + box["width"] * 0.13, box["y"] + box["height"] * 0.5)
    settle(sheet)
    assert best(sheet) == mnist.test.labels[0]
    draw(sheet, centred(3))
    assert sheet.locator("#found").is_hidden()
    assert answer(sheet) == "3"


def test_a_file_that_is_no_picture_is_refused_in_a_sentence(sheet: Any, tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_bytes(b"no picture")
    sheet.locator("#photo").set_input_files(path)
    sheet.wait_for_selector("#failure:not([hidden])")
    assert "cannot be read as a picture" in sheet.locator("#failure").inner_text()


@pytest.mark.parametrize(
    ("kind", "said"),
    [("inverted", "inverted, compared"), ("lined", "left out: 1 stroke"), ("as it is", "")],
)
def test_what_the_service_says_of_a_picture_stands_on_the_page(
    sheet: Any, reader: Path, mnist: Dataset, tmp_path: Path, kind: str, said: str
) -> None:
    image = np.rint(255 * mnist.test.images[0].reshape(28, 28)).astype(np.uint8)
    if kind == "inverted":
        image = 255 - image
    elif kind == "lined":
        image = np.pad(255 - np.kron(image, np.ones((4, 4), np.uint8)), 20, constant_values=255)
        image[-4:-2, 10:-10] = 0
    path = tmp_path / "one.png"
    Image.fromarray(image).save(path)
    model = load_model(reader)
    (place,) = look_at(path.read_bytes(), Form.of(model), images=9, pixels=10**6).places
    told = "; ".join(place.get("notes", ()))
    assert said in told
    assert bool(said) == bool(told)
    sheet.locator("#photo").set_input_files(path)
    sheet.wait_for_selector("#found:not([hidden])")
    assert sheet.locator("#notes").inner_text() == told
    draw(sheet, centred(3))
    assert sheet.locator("#notes").inner_text() == ""


PHONES = ((320, 568), (360, 640), (375, 667), (390, 844), (412, 915))


def test_on_phones_sheet_and_answer_are_in_view_and_nothing_sticks_out(
    visit: OpenPage, reader_page: dict[str, bytes]
) -> None:
    for size in PHONES:
        page = opened(visit, reader_page, size=size, touch=True)
        for state in ("before drawing", "after it"):
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width == size[0], f"{size}, {state}: {width} pixels wide"
            top, bottom = page.evaluate(
                "[document.querySelector('#sheet').getBoundingClientRect().top,"
                " document.querySelector('#answer').getBoundingClientRect().bottom]"
            )
            assert 0 <= top < bottom <= size[1], f"{size}, {state}"
            draw(page, [[(0.3, 0.25), (0.7, 0.25), (0.45, 0.8)]])
        assert len(answer(page)) == 1
