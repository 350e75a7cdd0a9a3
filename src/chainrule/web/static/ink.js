// Ink segmentation: digits/ink.py in a browser, function by function, bit-identical if possible.
//
// A plane is {width, height, values}: numbers row by row.

import { median, outline, paper, quantile, sampled } from "./background.js";
import { resizedBytes, scaled } from "./resizing.js";

const WORKING_SIDE = 1280;
export const LEAST_CONTRAST = 0.1;
const STANDS_OUT = 5;
const CORE = 0.8;
const FAINTEST = 0.1;
const SOLID = 0.35;
const PLAIN = 0.25;

/**
 * Segments a picture at the working size. If its grey has little contrast, red, green and blue are
 * tried.
 * @param image {width, height, data: RGBA bytes} or {width, height, grey: numbers 0..1}
 * @param field longer side of the network's images
 * @returns {{width, height, amount: Float64Array, solid: Uint8Array}} as ink() returns it
 * @throws {Error} "no digit found: ..." if nothing is drawn
 */
export function drawnOn(image, field) {
  let reason = null;
  let best = null;
  for (const plane of planes(image)) {
    try {
      const found = ink(plane, field);
      best = best && best.contrast >= found.contrast ? best : found;
      if (found.contrast >= PLAIN) {
        break;
      }
    } catch (error) {
      reason ??= error;
    }
  }
  if (!best) {
    throw reason;
  }
  return best;
}

/** Brightness planes 0..1 at the working size: grey, then red, green and blue. */
function* planes(image) {
  const { width, height } = image;
  const numbers = image.grey ?? image.data;
  if (!(width > 0 && height > 0) || numbers?.length !== width * height * (image.grey ? 1 : 4)) {
    throw new Error("no digit found: the picture has no pixels, or not as many as its size says.");
  }
  if (image.grey) {
    if (!image.grey.every((value) => value >= 0 && value <= 1)) {
      throw new Error("no digit found: fractions must be in 0..1; scale the picture.");
    }
    if (Math.max(width, height) <= WORKING_SIDE) {
      yield { width, height, values: Float64Array.from(image.grey) };
    } else {
      const bytes = Uint8Array.from(image.grey, (value) => halfToEven(value * 255));
      yield shrunk({ width, height, values: bytes });
    }
    return;
  }
  const plain = greyOf(image).values;
  yield shrunk({ width, height, values: plain });
  if (!opaque(image.data)) {
    return;
  }
  for (const colour of [0, 1, 2]) {
    const values = plain.map((_, pixel) => image.data[4 * pixel + colour]);
    yield shrunk({ width, height, values });
  }
}

/**
 * Brightness 0..255 of a picture, {width, height, values}; transparent areas as onPaper says.
 * white: the number that stands for white, if it is below 255.
 */
export function greyOf({ width, height, data, grey }, white = 255) {
  const plain = grey ? Uint8Array.from(grey, (value) => halfToEven(value * 255)) : luma(data);
  const values = grey || opaque(data) ? plain : onPaper(plain, data);
  if (white >= 255) return { width, height, values };
  const rescaled = values.map((value) => halfToEven(Math.min(value, white) * (255 / white)));
  return { width, height, values: rescaled };
}

function opaque(data) {
  let at = 3;
  while (at < data.length && data[at] === 255) {
    at += 4;
  }
  return at >= data.length;
}

/** Red, green and blue as grey: ITU-R BT.601 in integers, as in Pillow. */
function luma(data) {
  const grey = new Uint8Array(data.length / 4);
  for (let pixel = 0, at = 0; pixel < grey.length; pixel++, at += 4) {
    grey[pixel] = (data[at] * 19595 + data[at + 1] * 38470 + data[at + 2] * 7471 + 0x8000) >> 16;
  }
  return grey;
}

/** Transparent areas take the colour that contrasts with the drawing: white or black. */
function onPaper(grey, data) {
  let ink = 0;
  let covered = 0;
  for (let pixel = 0; pixel < grey.length; pixel++) {
    const cover = data[4 * pixel + 3] / 255;
    ink += grey[pixel] * cover;
    covered += cover;
  }
  const ground = ink / Math.max(covered, 1e-9) < 128 ? 255 : 0;
  return grey.map((value, pixel) => {
    const cover = data[4 * pixel + 3] / 255;
    return halfToEven(value * cover + ground * (1 - cover));
  });
}

/** Bytes averaged down to the working size, as fractions 0..1. */
function shrunk(bytes) {
  let plane = bytes;
  const longer = Math.max(bytes.width, bytes.height);
  if (longer > WORKING_SIDE) {
    const width = scaled(bytes.width, WORKING_SIDE, longer);
    plane = resizedBytes(bytes, scaled(bytes.height, WORKING_SIDE, longer), width);
  }
  const values = new Float64Array(plane.values.length);
  for (let pixel = 0; pixel < values.length; pixel++) {
    values[pixel] = plane.values[pixel] / 255;
  }
  return { ...plane, values };
}

function halfToEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
}

/**
 * Segments the ink of a brightness plane, dark on light or light on dark.
 * @returns {{width, height, amount: Float64Array, solid: Uint8Array, contrast}} amount of ink 0..1;
 *   solid: mask of the strokes; contrast: ink minus paper
 */
function ink(plane, field) {
  const { width, height, values } = plane;
  const small = Math.max(width, height) <= field;
  const border = Float64Array.from(outline(width, height), (pixel) => values[pixel]);
  const middle = median(border);
  const lighter = values.slice();
  lessen(lighter, () => middle);
  let noise = 0;
  if (quantile(border.map((value) => Math.abs(value - middle)), small ? 0.5 : 0.75)) {
    lighter.set(values);
    lessen(lighter, paper(plane));
    noise = 1.4826 * median(Float64Array.from(sampled(plane), (pixel) => Math.abs(lighter[pixel])));
  }
  const least = Math.max(LEAST_CONTRAST, STANDS_OUT * noise);
  const [light, dark] = [1, -1].map((sign) => beyond(lighter, sign, least));
  const sign = dark.sum > light.sum ? -1 : 1;
  const strong = (sign < 0 ? dark : light).values;
  if (!strong.length) {
    const nothing = lighter.every((value) => Math.abs(value) < LEAST_CONTRAST);
    throw new Error(
      nothing
        ? "no digit found: nothing is drawn on it; bring one digit, dark on light."
        : "no digit found: nothing stands out of the noise; bring a sharper picture.",
    );
  }
  if (small && !noise) {
    const amount = lighter.map((value) => Math.min(1, Math.max(0, sign * value)));
    const solid = Uint8Array.from(amount, (value) => value > 0);
    return { width, height, amount, solid, contrast: amount.reduce((a, b) => Math.max(a, b)) };
  }
  const contrast = quantile(strong, CORE);
  const faintest = Math.max(FAINTEST * contrast, noise ? 0.7 * least : 0);
  const threshold = Math.max(SOLID * contrast, 0.7 * least);
  const amount = new Float64Array(lighter.length);
  const solid = new Uint8Array(lighter.length);
  for (let pixel = 0; pixel < lighter.length; pixel++) {
    const value = sign * lighter[pixel];
    if (value >= faintest) {
      amount[pixel] = Math.min(1, value / contrast);
    }
    solid[pixel] = value > threshold ? 1 : 0;
  }
  return { width, height, amount, solid, contrast };
}

/** Subtracts a value given for each pixel, in place. */
function lessen(values, by) {
  for (let pixel = 0; pixel < values.length; pixel++) {
    values[pixel] -= by(pixel);
  }
}

/** The values, times a sign, that exceed the least one, and their sum. */
function beyond(numbers, sign, least) {
  const values = new Float64Array(numbers.length);
  let count = 0;
  let sum = 0;
  for (let pixel = 0; pixel < numbers.length; pixel++) {
    const value = sign * numbers[pixel];
    if (value > least) {
      values[count++] = value;
      sum += value;
    }
  }
  return { values: values.slice(0, count), sum };
}
