// Background estimation: the brightness of the paper under a drawing, by robust least squares.
//
// The second half of digits/ink.py. A plane is {width, height, values}: numbers row by row.

const SAMPLES = 64;
const ON_THE_EDGE = 6;
const ROUNDS = 16;
const TOLERANCE = 2;
const RIDGE = 1e-6;

/** The pixels along the edge of a picture, each once. */
export function outline(width, height) {
  const pixels = new Set();
  for (let column = 0; column < width; column++) {
    pixels.add(column).add(width * (height - 1) + column);
  }
  for (let row = 0; row < height; row++) {
    pixels.add(row * width).add(row * width + width - 1);
  }
  return pixels;
}

/** Sampling grid for the paper: every n-th pixel of every n-th row. */
export function sampled({ width, height }) {
  const step = Math.max(1, Math.floor(Math.max(width, height) / SAMPLES));
  const pixels = [];
  for (let row = Math.min(step >> 1, height >> 1); row < height; row += step) {
    for (let column = Math.min(step >> 1, width >> 1); column < width; column += step) {
      pixels.push(row * width + column);
    }
  }
  return pixels;
}

export function quantile(values, share) {
  return values.slice().sort()[Math.min(values.length - 1, Math.floor(share * values.length))];
}

export function median(values) {
  const sorted = values.slice().sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Brightness of the paper under the ink, for each pixel: a + bu + cv + du^2 + euv + fv^2. */
export function paper(plane) {
  const { width, height, values } = plane;
  const across = (column) => (2 * column - (width - 1)) / Math.max(width - 1, 1);
  const down = (row) => (2 * row - (height - 1)) / Math.max(height - 1, 1);
  const pixels = sampled(plane);
  const heights = Float64Array.from(pixels, (pixel) => values[pixel]);
  const terms = pixels.map((pixel) =>
    quadratic(down(Math.floor(pixel / width)), across(pixel % width)),
  );
  const columns = new Set(pixels.map((pixel) => pixel % width)).size;
  const edge = outline(columns, pixels.length / columns);
  const distance = new Float64Array(pixels.length);
  const weights = Float64Array.from(pixels, (_, point) => (edge.has(point) ? 1 : 0));
  let a = [];
  for (let number = 0; number < ROUNDS; number++) {
    a = fitted(terms, heights, weights);
    for (let point = 0; point < distance.length; point++) {
      let sum = 0;
      for (let k = 0; k < a.length; k++) {
        sum += terms[point][k] * a[k];
      }
      distance[point] = Math.abs(heights[point] - sum);
    }
    const first = number < ON_THE_EDGE;
    const asked = first ? Float64Array.from(edge, (point) => distance[point]) : distance;
    const usual = Math.max(median(asked), 1 / 255);
    for (let point = 0; point < distance.length; point++) {
      const far = distance[point] / (TOLERANCE * usual);
      weights[point] = first && !edge.has(point) ? 0 : 1 / (1 + far * far);
    }
  }
  return (pixel) => {
    const u = down(Math.floor(pixel / width));
    const v = across(pixel % width);
    return a[0] + a[1] * u + a[3] * u * u + (a[2] * v + a[5] * v * v) + a[4] * u * v;
  };
}

function quadratic(u, v) {
  return [1, u, v, u * u, u * v, v * v];
}

/** Weighted least squares by normal equations, with a tiny ridge on all but the constant. */
function fitted(terms, heights, weights) {
  const m = terms[0].length;
  const normal = Array.from({ length: m }, () => new Array(m + 1).fill(0));
  for (let point = 0; point < terms.length; point++) {
    const row = terms[point];
    for (let i = 0; weights[point] && i < m; i++) {
      const weighted = row[i] * weights[point];
      for (let j = 0; j < m; j++) {
        normal[i][j] += weighted * row[j];
      }
      normal[i][m] += weighted * heights[point];
    }
  }
  const ridge = RIDGE * normal[0][0];
  for (let i = 1; i < m; i++) {
    normal[i][i] += ridge;
  }
  return solved(normal);
}

/** Gaussian elimination with pivoting: rows hold a matrix and, last, the right-hand side. */
function solved(rows) {
  const m = rows.length;
  for (let i = 0; i < m; i++) {
    let best = i;
    for (let k = i + 1; k < m; k++) {
      best = Math.abs(rows[k][i]) > Math.abs(rows[best][i]) ? k : best;
    }
    [rows[i], rows[best]] = [rows[best], rows[i]];
    for (let k = i + 1; k < m; k++) {
      const factor = rows[k][i] / rows[i][i];
      for (let j = i; j <= m; j++) {
        rows[k][j] -= factor * rows[i][j];
      }
    }
  }
  const x = new Array(m).fill(0);
  for (let i = m - 1; i >= 0; i--) {
    x[i] = rows[i][m];
    for (let j = i + 1; j < m; j++) {
      x[i] -= rows[i][j] * x[j];
    }
    x[i] /= rows[i][i];
  }
  return x;
}
