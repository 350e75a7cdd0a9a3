// Preprocessing of drawings and photos to the form of the training images: digits/preprocess.py.
//
// A form has the height and width of the training images and the fields of nn/preprocessing.py. The
// steps and their names are those of the Python; a test compares the results.

import { drawnOn, greyOf } from "./ink.js";
import { connected, grouped, inReadingOrder, leftOut, strokes } from "./components.js";
import { departure } from "./form.js";
import { fittedWhole, framed } from "./frame.js";

const LEAST_STROKE = 8;
const MOST_PARTS = 400;

/**
 * Network inputs from a picture. One of the form's size that has the form is taken as it is.
 * @param image as for normalize
 * @param digits true if each digit is looked for; else the drawing is taken as a whole
 * @returns {{digits, notes: string[]}} digits as find returns them; what was done or left out
 * @throws {Error} "no digit found: ..." if nothing is drawn
 */
export function seenBy(image, form, digits) {
  const whole = { row: 0, column: 0, height: image.height, width: image.width, line: 0 };
  const notes = [];
  if (image.height === form.height && image.width === form.width) {
    const pixels = Float32Array.from(greyOf(image, form.white).values, (value) => value / 255);
    const reason = departure(pixels, form);
    if (!reason) return { digits: [{ ...whole, pixels }], notes };
    notes.push(`${reason}, compared with the training images: converted`);
  }
  if (form.background === null) {
    return { digits: [{ ...whole, pixels: fittedWhole(image, form) }], notes };
  }
  const [found, lost] = digits ? findAll(image, form) : normalizeAll(image, form);
  if (lost) {
    notes.push(`left out: ${lost} stroke${lost === 1 ? "" : "s"} taken for lines, dots or dashes`);
  }
  return { digits: digits ? found : [{ ...whole, pixels: found }], notes };
}

/**
 * Brings one digit into a form. Everything drawn, except specks, is taken as one digit.
 * @param image {width, height, data: RGBA bytes} or {width, height, grey: numbers 0..1}
 * @returns {Float32Array} numbers 0..1, form.height rows of form.width
 * @throws {Error} "no digit found: ..." if nothing is drawn
 */
export const normalize = (image, form) => normalizeAll(image, form)[0];

/** [pixels, strokes left out]. */
function normalizeAll(image, form) {
  const field = Math.max(form.width, form.height);
  const drawn = drawnOn(image, field);
  if (Math.max(drawn.width, drawn.height) <= field) {
    const { width, height, amount } = drawn;
    return [framed({ width, height, values: amount }, form), 0];
  }
  const parts = connected(drawn);
  const pieces = strokes(parts, drawn.width, drawn.height, LEAST_STROKE);
  if (!pieces.length) {
    throw new Error("no digit found: only specks are on it; bring a larger digit.");
  }
  const digit = cut(drawn, parts, pieces.map((piece) => piece.members[0]), form);
  return [framed(digit, form), leftOut(parts, pieces, LEAST_STROKE)];
}

/**
 * Finds the digits in a picture, such as a phone number on paper, in reading order.
 * @param image as for normalize; a digit needs about 20 pixels
 * @returns {{row, column, height, width, pixels: Float32Array, line}[]} boxes in the image's pixels
 * @throws {Error} "no digit found: ..." if there is none
 */
export const find = (image, form) => findAll(image, form)[0];

/** [digits, strokes left out]. */
function findAll(image, form) {
  const field = Math.max(form.width, form.height);
  const drawn = drawnOn(image, field);
  const parts = connected(drawn);
  const least = Math.max(drawn.width, drawn.height) <= field ? 1 : LEAST_STROKE;
  const pieces = strokes(parts, drawn.width, drawn.height, least);
  if (pieces.length > MOST_PARTS) {
    throw new Error(
      `no digit found: ${pieces.length} strokes are on it, and up to ${MOST_PARTS} are read; ` +
        "bring a picture of the digits alone.",
    );
  }
  const lines = inReadingOrder(grouped(pieces));
  if (!lines.length) {
    throw new Error("no digit found: only specks, dots or lines are on it; bring a digit.");
  }
  const digits = lines.flatMap((each, line) =>
    each.map((digit) => ({
      ...boxIn(image, drawn, digit),
      pixels: framed(cut(drawn, parts, digit.members, form), form),
      line,
    })),
  );
  return [digits, leftOut(parts, lines.flat(), least)];
}

/** The box of a digit, in pixels of the original picture. */
function boxIn(size, working, { top, left, bottom, right }) {
  const row = Math.floor((top * size.height) / working.height);
  const column = Math.floor((left * size.width) / working.width);
  const height = Math.ceil((bottom * size.height) / working.height) - row;
  const width = Math.ceil((right * size.width) / working.width) - column;
  return { row, column, height, width };
}

/** Cuts out the ink of some parts, with the margin where their strokes fade into paper. */
function cut({ width, height, amount }, { labels, boxes }, members, form) {
  const own = new Set(members);
  let [top, left, bottom, right] = [height, width, 0, 0];
  for (const member of members) {
    const box = boxes[member - 1];
    [top, left] = [Math.min(top, box[0]), Math.min(left, box[1])];
    [bottom, right] = [Math.max(bottom, box[2]), Math.max(right, box[3])];
  }
  const longer = Math.max(bottom - top, right - left);
  const reach = Math.max(1, Math.floor(longer / Math.max(1, form.box[1])));
  [top, left] = [Math.max(0, top - reach), Math.max(0, left - reach)];
  [bottom, right] = [Math.min(height, bottom + reach), Math.min(width, right + reach)];
  const inside = { width: right - left, height: bottom - top };
  const found = new Int32Array(inside.width * inside.height);
  for (let row = top; row < bottom; row++) {
    const line = labels.subarray(row * width + left, row * width + right);
    found.set(line, (row - top) * inside.width);
  }
  const mine = Uint8Array.from({ length: boxes.length + 1 }, (_, label) => own.has(label));
  const mask = new Uint8Array(found.length);
  for (let pixel = 0; pixel < found.length; pixel++) {
    mask[pixel] = mine[found[pixel]];
  }
  const near = spread(mask, inside, reach);
  inside.values = new Float64Array(found.length);
  for (let pixel = 0; pixel < found.length; pixel++) {
    if (mask[pixel] || (near[pixel] && found[pixel] === 0)) {
      const row = top + Math.floor(pixel / inside.width);
      inside.values[pixel] = amount[row * width + left + (pixel % inside.width)];
    }
  }
  return inside;
}

/** Dilates a mask: 1 within `reach` pixels of a 1, down or across. */
function spread(mask, { width, height }, reach) {
  const along = (from, count, length, step, next) => {
    const to = new Uint8Array(from.length);
    for (let line = 0; line < count; line++) {
      let last = -Infinity;
      for (let k = 0, ahead = 0; k < length; k++) {
        for (; ahead < length && ahead <= k + reach; ahead++) {
          last = from[line * next + ahead * step] ? ahead : last;
        }
        to[line * next + k * step] = last >= k - reach;
      }
    }
    return to;
  };
  return along(along(mask, width, height, width, 1), height, width, 1, width);
}
