// Image resizing as in Pillow's BILINEAR, which digits/preprocess.py relies on.
//
// A plane is {width, height, values}: numbers row by row.

const PRECISION = 1 << 22;

/** side * new / old, rounded to the nearest integer (halves up), at least 1. */
export function scaled(side, newSide, oldSide) {
  return Math.max(1, Math.floor((2 * side * newSide + oldSide) / (2 * oldSide)));
}

/** Resizes by averaging the area of each new pixel: Pillow's BILINEAR for 32-bit floats. */
export function resized(plane, height, width) {
  const single = { ...plane, values: Float32Array.from(plane.values) };
  const narrow = alongRows(single, width, Float32Array, (sum) => sum, 1);
  return turned(alongRows(turned(narrow), height, Float32Array, (sum) => sum, 1));
}

/** The same for bytes, in integers: Pillow's BILINEAR for 8 bits. */
export function resizedBytes(plane, height, width) {
  const toByte = (sum) => Math.min(255, Math.max(0, Math.floor((sum + PRECISION / 2) / PRECISION)));
  const narrow = alongRows(plane, width, Uint8Array, toByte, PRECISION);
  return turned(alongRows(turned(narrow), height, Uint8Array, toByte, PRECISION));
}

function alongRows(plane, width, Numbers, finish, precision) {
  const values = new Numbers(plane.height * width);
  if (width === plane.width) {
    values.set(plane.values);
    return { width, height: plane.height, values };
  }
  for (const [column, { first, weights }] of triangles(plane.width, width).entries()) {
    const parts = precision === 1 ? weights : weights.map((w) => Math.floor(0.5 + w * precision));
    for (let row = 0; row < plane.height; row++) {
      let sum = 0;
      for (let k = 0, at = row * plane.width + first; k < parts.length; k++, at++) {
        sum += plane.values[at] * parts[k];
      }
      values[row * width + column] = finish(sum);
    }
  }
  return { width, height: plane.height, values };
}

/** For each new pixel, the first old one it averages and the weights, which sum to 1. */
function triangles(oldSide, newSide) {
  const scale = oldSide / newSide;
  const reach = Math.max(scale, 1);
  return Array.from({ length: newSide }, (_, pixel) => {
    const centre = (pixel + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const behind = Math.min(oldSide, Math.trunc(centre + reach + 0.5));
    const weights = new Float64Array(behind - first);
    let total = 0;
    for (let k = 0; k < weights.length; k++) {
      weights[k] = Math.max(0, 1 - Math.abs((k + first - centre + 0.5) * (1 / reach)));
      total += weights[k];
    }
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

function turned({ width, height, values }) {
  const result = new values.constructor(values.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      result[column * height + row] = values[row * width + column];
    }
  }
  return { width: height, height: width, values: result };
}
