// Preprocessing of drawings and photos to MNIST's format: digits/preprocess.py.
//
// White ink on black, the longer side of the digit 20 pixels, its centre of mass in the middle of
// 28x28. The steps and their names are those of the Python; a test compares the results.

import { FIELD_SIDE, drawnOn } from "./ink.js";
import { connected, grouped, inReadingOrder, strokes } from "./components.js";
import { resized, scaled } from "./resizing.js";

const BOX = 20;
const BOX_SIDES = [19, 20];
const CENTRE = 14;
const LEAST_STROKE = 8;
const MOST_PARTS = 400;

/**
 * Normalises one digit to MNIST's format. Everything drawn, except specks, is taken as one digit.
 * @param image {width, height, data: RGBA bytes} or {width, height, grey: numbers 0..1}
 * @returns {Float32Array} 784 numbers 0..1, 28 rows of 28, white on black, centred
 * @throws {Error} "no digit found: ..." if nothing is drawn
 */
export function normalize(image) {
  const drawn = drawnOn(image);
  if (Math.max(drawn.width, drawn.height) <= FIELD_SIDE) {
    return framed({ width: drawn.width, height: drawn.height, values: drawn.amount });
  }
  const parts = connected(drawn);
  const pieces = strokes(parts, drawn.width, drawn.height, LEAST_STROKE);
  if (!pieces.length) {
    throw new Error("no digit found: only specks are on it; bring a larger digit.");
  }
  return framed(cut(drawn, parts, pieces.map((piece) => piece.members[0])));
}

/**
 * Finds the digits in a picture, such as a phone number on paper, in reading order.
 * @param image as for normalize; a digit needs about 20 pixels
 * @returns {{row, column, height, width, pixels: Float32Array, line}[]} boxes in the image's pixels
 * @throws {Error} "no digit found: ..." if there is none
 */
export function find(image) {
  const drawn = drawnOn(image);
  const parts = connected(drawn);
  const least = Math.max(drawn.width, drawn.height) <= FIELD_SIDE ? 1 : LEAST_STROKE;
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
  return lines.flatMap((digits, line) =>
    digits.map((digit) => ({
      ...boxIn(image, drawn, digit),
      pixels: framed(cut(drawn, parts, digit.members)),
      line,
    })),
  );
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
function cut({ width, height, amount }, { labels, boxes }, members) {
  const own = new Set(members);
  let [top, left, bottom, right] = [height, width, 0, 0];
  for (const member of members) {
    const box = boxes[member - 1];
    [top, left] = [Math.min(top, box[0]), Math.min(left, box[1])];
    [bottom, right] = [Math.max(bottom, box[2]), Math.max(right, box[3])];
  }
  const reach = Math.max(1, Math.floor(Math.max(bottom - top, right - left) / BOX));
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

/** Frames ink as in MNIST: its box scaled to 20 pixels, its centre of mass in the middle. */
function framed(amount) {
  let digit = trimmed(amount);
  const longer = Math.max(digit.width, digit.height);
  if (!BOX_SIDES.includes(longer)) {
    const width = scaled(digit.width, BOX, longer);
    digit = resized(digit, scaled(digit.height, BOX, longer), width);
    const most = digit.values.reduce((one, other) => Math.max(one, other), 0);
    digit = { ...digit, values: Float64Array.from(digit.values, (value) => value / most) };
  }
  return centred(digit);
}

/** Crops the empty rows and columns around it. */
function trimmed({ width, height, values }) {
  let [top, left, bottom, right] = [height, width, 0, 0];
  for (let pixel = 0; pixel < values.length; pixel++) {
    if (values[pixel]) {
      const row = Math.floor(pixel / width);
      top = Math.min(top, row);
      bottom = Math.max(bottom, row + 1);
      left = Math.min(left, pixel % width);
      right = Math.max(right, (pixel % width) + 1);
    }
  }
  const size = { width: right - left, height: bottom - top };
  const result = new Float64Array(size.width * size.height);
  for (let row = top; row < bottom; row++) {
    const line = values.subarray(row * width + left, row * width + right);
    result.set(line, (row - top) * size.width);
  }
  return { ...size, values: result };
}

/** Places a digit in the field, its centre of mass on pixel 14 as far as it fits. */
function centred({ width, height, values }) {
  let [mass, down, across] = [0, 0, 0];
  values.forEach((value, pixel) => {
    mass += value;
    down += value * Math.floor(pixel / width);
    across += value * (pixel % width);
  });
  const start = (moment, side) => {
    // 1e-9: a middle of exactly 13.5 must round up, whatever the last bit of the sum.
    const first = CENTRE - Math.floor(moment / mass + 0.5 + 1e-9);
    return Math.min(Math.max(first, 0), FIELD_SIDE - side);
  };
  const [row, column] = [start(down, height), start(across, width)];
  const field = new Float32Array(FIELD_SIDE * FIELD_SIDE);
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      field[(row + r) * FIELD_SIDE + column + c] = values[r * width + c];
    }
  }
  return field;
}
