// Framing of ink in a network's field: digits/frame.py in a browser, function by function.
//
// A form has the height and width of the training images and the fields of nn/preprocessing.py. A
// plane is {width, height, values}: numbers row by row.

import { median, outline } from "./background.js";
import { greyOf } from "./ink.js";
import { resized, resizedBytes, scaled } from "./resizing.js";

const ROUNDED_DOWN = 1;

/** Frames ink in a form: scaled to its box, centred as it is, in its brightness. */
export function framed(amount, form) {
  let digit = trimmed(amount);
  const box = form.box[1];
  const size = fitting(digit, form, box);
  const fits = digit.height <= form.height && digit.width <= form.width;
  const below = box - Math.max(digit.width, digit.height);
  const same = size.height === digit.height && size.width === digit.width;
  if (!same && !(fits && below === ROUNDED_DOWN)) {
    digit = resized(digit, size.height, size.width);
    const most = digit.values.reduce((one, other) => Math.max(one, other), 0);
    digit = { ...digit, values: Float64Array.from(digit.values, (value) => value / most) };
  }
  const ground = form.background ?? 0;
  return Float32Array.from(centred(digit, form), (ink) => ground + ink * (form.ink - ground));
}

/** Largest size in proportion that fits a field, and whose longer side is at most `box`. */
function fitting({ width, height }, field, box = 0) {
  let [newSide, oldSide] = [field.height, height];
  const sides = [[field.width, width]].concat(box ? [[box, Math.max(width, height)]] : []);
  for (const [one, other] of sides) {
    if (one * oldSide < newSide * other) {
      [newSide, oldSide] = [one, other];
    }
  }
  return {
    height: Math.min(scaled(height, newSide, oldSide), field.height),
    width: Math.min(scaled(width, newSide, oldSide), field.width),
  };
}

/** Crops the empty rows and columns around it. */
function trimmed({ width, height, values }) {
  const [top, left, bottom, right] = boxOf(values, width, height, 0);
  const size = { width: right - left, height: bottom - top };
  const result = new Float64Array(size.width * size.height);
  for (let row = top; row < bottom; row++) {
    const line = values.subarray(row * width + left, row * width + right);
    result.set(line, (row - top) * size.width);
  }
  return { ...size, values: result };
}

/** Bounding box of the values above `least`: [top, left, bottom, right], all 0 if there are none. */
export function boxOf(values, width, height, least) {
  let [top, left, bottom, right] = [height, width, 0, 0];
  for (let pixel = 0; pixel < values.length; pixel++) {
    if (values[pixel] > least) {
      const row = Math.floor(pixel / width);
      top = Math.min(top, row);
      bottom = Math.max(bottom, row + 1);
      left = Math.min(left, pixel % width);
      right = Math.max(right, (pixel % width) + 1);
    }
  }
  return bottom ? [top, left, bottom, right] : [0, 0, 0, 0];
}

/** Pixel (row, column) of the centre of mass; a half counts as the next. */
export function centreOfMass({ width, height, values }) {
  let [mass, down, across] = [0, 0, 0];
  values.forEach((value, pixel) => {
    mass += value;
    down += value * Math.floor(pixel / width);
    across += value * (pixel % width);
  });
  // 1e-9: a middle of exactly 13.5 must round up, whatever the last bit of the sum.
  return [down, across].map((moment) => Math.floor(moment / mass + 0.5 + 1e-9));
}

/** First row and column of ink of this size, by the middle of its box. */
export const byBox = ({ width, height }, form) =>
  [height, width].map((side, axis) => Math.floor((form.centre[axis] - side) / 2));

/** Places a digit in the field, its centre where those of the form are, as far as it fits. */
function centred(digit, form) {
  const { width, height, values } = digit;
  const starts = form.centring === "mass"
    ? centreOfMass(digit).map((pixel, axis) => form.centre[axis] - pixel)
    : byBox(digit, form);
  const row = Math.min(Math.max(starts[0], 0), form.height - height);
  const column = Math.min(Math.max(starts[1], 0), form.width - width);
  const field = new Float64Array(form.height * form.width);
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      field[(row + r) * form.width + column + c] = values[r * width + c];
    }
  }
  return field;
}

/** Scales a whole picture to the field, its sides in proportion, with the edge's grey around it. */
export function fittedWhole(image, form) {
  const grey = greyOf(image);
  const { height, width } = fitting(grey, form);
  const { values } = resizedBytes(grey, height, width);
  const edge = Float64Array.from(outline(grey.width, grey.height), (pixel) => grey.values[pixel]);
  const field = new Float32Array(form.height * form.width).fill(median(edge) / 255);
  const row = Math.floor((form.height - height) / 2);
  const column = Math.floor((form.width - width) / 2);
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      field[(row + r) * form.width + column + c] = values[r * width + c] / 255;
    }
  }
  return field;
}
