// Connected components of a drawing, and their grouping into digits: digits/components.py.
//
// A group is {members, top, left, bottom, right}: numbers of parts, and the box around them.

const SPECK = 0.08;
const EDGE_STRIP = 0.08;
const LINE = 8;
const SMALL = 0.25;
const SHORT = 0.45;

/**
 * Connected components of a mask, 8-connected: corners count.
 * @param mask {width, height, solid: 0 or 1 a pixel}
 * @returns {{labels: Int32Array, boxes: [top, left, bottom, right][]}} labels: 0 paper, 1... parts
 */
export function connected({ width, height, solid }) {
  const found = runs(width, height, solid);
  const roots = united(found);
  const labels = new Int32Array(width * height);
  const boxes = [];
  const numbers = new Map();
  found.forEach(({ row, start, end }, run) => {
    if (!numbers.has(roots[run])) {
      numbers.set(roots[run], boxes.push([height, width, 0, 0]));
    }
    const number = numbers.get(roots[run]);
    const box = boxes[number - 1];
    box[0] = Math.min(box[0], row);
    box[1] = Math.min(box[1], start);
    box[2] = Math.max(box[2], row + 1);
    box[3] = Math.max(box[3], end);
    labels.fill(number, row * width + start, row * width + end);
  });
  return { labels, boxes };
}

/** Runs of solid pixels, row by row: {row, start, end}; end is the first pixel after. */
function runs(width, height, solid) {
  const found = [];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (solid[row * width + column]) {
        const start = column;
        do {
          column++;
        } while (column < width && solid[row * width + column]);
        found.push({ row, start, end: column });
      }
    }
  }
  return found;
}

/** Union-find: the smallest run that each run is connected with. */
function united(found) {
  const root = found.map((_, run) => run);
  const rootOf = (run) => {
    while (root[run] !== run) {
      root[run] = root[root[run]];
      run = root[run];
    }
    return run;
  };
  for (let run = 0, above = 0; run < found.length; run++) {
    const { row, start, end } = found[run];
    const before = ({ row: r, end: e }) => r < row - 1 || (r === row - 1 && e < start);
    while (before(found[above])) {
      above++;
    }
    for (let k = above; found[k].row === row - 1 && found[k].start <= end; k++) {
      const one = rootOf(k);
      const other = rootOf(run);
      root[Math.max(one, other)] = Math.min(one, other);
    }
  }
  return root.map((_, run) => rootOf(run));
}

/** Parts that may be pen strokes, each as its own group: no specks, lines or margins. */
export function strokes({ boxes }, width, height, least) {
  const near = { h: Math.max(1, Math.floor(EDGE_STRIP * height)) };
  near.w = Math.max(1, Math.floor(EDGE_STRIP * width));
  const strip = ([top, left, bottom, right]) =>
    (2 * (bottom - top) > height && (right <= near.w || left >= width - near.w)) ||
    (2 * (right - left) > width && (bottom <= near.h || top >= height - near.h)) ||
    (right - left >= LINE * (bottom - top) && 2 * (right - left) > width);
  const longer = ([top, left, bottom, right]) => Math.max(bottom - top, right - left);
  let kept = boxes.map((box, number) => ({ box, number }));
  kept = kept.filter(({ box }) => longer(box) >= least);
  const drawn = kept.filter(({ box }) => !strip(box));
  kept = drawn.length ? drawn : kept;
  const longest = kept.reduce((most, { box }) => Math.max(most, longer(box)), 0);
  return kept
    .filter(({ box }) => longer(box) >= SPECK * longest)
    .map(({ box: [top, left, bottom, right], number }) => {
      return { members: [number + 1], top, left, bottom, right };
    });
}

/** Number of parts that are no specks and in none of the digits. */
export function leftOut({ boxes }, used, least) {
  const members = new Set(used.flatMap((digit) => digit.members));
  const longer = boxes.map(([top, left, bottom, right]) => Math.max(bottom - top, right - left));
  const longest = [...members].reduce((most, member) => Math.max(most, longer[member - 1]), 0);
  const smallest = Math.max(least, SPECK * longest);
  return longer.filter((side, part) => side >= smallest && !members.has(part + 1)).length;
}

const heightOf = (group) => group.bottom - group.top;
const widthOf = (group) => group.right - group.left;

/** Digits made of strokes: broken ones joined, dots and dashes left out. */
export function grouped(pieces) {
  const digits = [];
  for (const piece of pieces.toSorted((one, other) => heightOf(other) - heightOf(one))) {
    let nearest = -1;
    digits.forEach((digit, number) => {
      if (belongs(piece, digit) && (nearest < 0 || nearer(piece, digit, digits[nearest]))) {
        nearest = number;
      }
    });
    if (nearest < 0) {
      digits.push(piece);
    } else {
      digits[nearest] = joined(digits[nearest], piece);
    }
  }
  const tallest = Math.max(...digits.map(heightOf));
  const heights = digits.map(heightOf).filter((height) => height >= SMALL * tallest);
  const usual = heights.sort((one, other) => one - other)[heights.length >> 1];
  return digits.filter(
    (digit) => heightOf(digit) >= SHORT * usual && widthOf(digit) < 3 * heightOf(digit),
  );
}

function joined(one, other) {
  return {
    members: [...one.members, ...other.members],
    top: Math.min(one.top, other.top),
    left: Math.min(one.left, other.left),
    bottom: Math.max(one.bottom, other.bottom),
    right: Math.max(one.right, other.right),
  };
}

/** True if a piece, not taller than the digit so far, is another stroke of it. */
function belongs(piece, digit) {
  const H = heightOf(digit);
  const down = Math.max(piece.top, digit.top) - Math.min(piece.bottom, digit.bottom);
  const across = Math.max(piece.left, digit.left) - Math.min(piece.right, digit.right);
  const together = joined(digit, piece);
  const share = heightOf(piece) < 0.5 * H ? 0.35 : 0.6;
  if (-across >= share * Math.min(widthOf(piece), widthOf(digit))) {
    return down <= 0.25 * H && heightOf(together) <= 1.5 * H;
  }
  if (down > 0.1 * H || heightOf(together) > 1.3 * H || widthOf(together) > 1.2 * H) {
    return false;
  }
  if (heightOf(piece) >= 0.7 * H) {
    return false;
  }
  const dashOrDot = heightOf(piece) < 0.25 * H && piece.top > digit.top + 0.3 * H;
  return across <= (dashOrDot ? 0 : 0.1 * H);
}

function nearer(piece, digit, than) {
  const [one, other] = [distance(piece, digit), distance(piece, than)];
  return one < other || (one === other && digit.left < than.left);
}

function distance(piece, digit) {
  const down = Math.max(piece.top, digit.top) - Math.min(piece.bottom, digit.bottom);
  const across = Math.max(piece.left, digit.left) - Math.min(piece.right, digit.right);
  return Math.max(0, down) ** 2 + Math.max(0, across) ** 2;
}

/** Lines from top to bottom, each from left to right; lines may slope a little. */
export function inReadingOrder(digits) {
  const lines = [];
  for (const digit of digits.toSorted((a, b) => a.left - b.left || a.top - b.top)) {
    let best = null;
    let most = 0.5;
    for (const line of lines) {
      const last = line.at(-1);
      const beside = Math.min(digit.bottom, last.bottom) - Math.max(digit.top, last.top);
      const share = beside / Math.min(heightOf(digit), heightOf(last));
      if (share >= most) {
        [best, most] = [line, share];
      }
    }
    if (best) {
      best.push(digit);
    } else {
      lines.push([digit]);
    }
  }
  const middle = (line) => line.reduce((sum, d) => sum + d.top + d.bottom, 0) / line.length;
  return lines.sort((one, other) => middle(one) - middle(other));
}
