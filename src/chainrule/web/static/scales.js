// Axis scales: round ticks, readable numbers, and positions of values.

const NINES = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999];
const RAISED = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹";

/** About `count` round numbers from `low` to `high`: multiples of 1, 2 or 5 times a power of 10. */
export const roundTicks = (low, high, count) => {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return Array.from(
    { length: last - first + 1 }, (_, i) => Number(((first + i) * step).toFixed(digits)),
  );
};

/** Round numbers for a logarithmic axis that cover `low` to `high`, both above 0. */
export const decadeTicks = (low, high) => {
  const from = Math.floor(Math.log10(low));
  const to = Math.ceil(Math.log10(high));
  const factors = to - from > 3 ? [1] : [1, 2, 5];
  const all = [];
  for (let power = from; power <= to; power += 1) {
    all.push(...factors.map((factor) => Number(`${factor}e${power}`)));
  }
  const start = Math.max(0, all.findLastIndex((tick) => tick <= low * (1 + 1e-9)));
  const end = all.findIndex((tick) => tick >= high * (1 - 1e-9));
  return all.slice(start, (end < 0 ? all.length : Math.max(end, start + 1)) + 1);
};

/** A number as readable text: three digits, 1,234, or 2 × 10⁻⁵ if it is very small. */
export const shortNumber = (value) => {
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size >= 1e-4) return String(Number(value.toPrecision(3)));
  const power = Math.floor(Math.log10(size) + 1e-9);
  const factor = Number((value / 10 ** power).toPrecision(3));
  const raised = String(power).replace(/[-0-9]/g, (sign) => RAISED["-0123456789".indexOf(sign)]);
  return factor === 1 ? `10${raised}` : `${factor} × 10${raised}`;
};

/** A fraction 0..1 in percent, with enough digits to tell values near 1 apart. */
export const shortPercent = (share) => `${Number((100 * share).toFixed(2))} %`;

const extent = (values) =>
  values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);

const linearScale = (values, format, { least = 0 }) => {
  const [low, high] = extent([...values, 0]);
  const roof = Math.max(high, least);
  const inside = roundTicks(low, roof, 4);
  const step = inside.length > 1 ? inside[1] - inside[0] : roof || 1;
  const top = inside.at(-1) >= roof * (1 - 1e-9) ? inside.at(-1) : inside.at(-1) + step;
  const ticks = roundTicks(low, top, 4);
  return {
    at: (value) => (value - low) / (top - low || 1),
    ticks: ticks.map((value) => ({ value, text: format(value) })),
  };
};

const logScale = (values, format) => {
  const [low, high] = extent(values);
  const ticks = decadeTicks(low, high);
  const [from, to] = [Math.log10(ticks[0]), Math.log10(ticks.at(-1))];
  return {
    at: (value) => (Math.log10(value) - from) / (to - from || 1),
    ticks: ticks.map((value) => ({ value, text: format(value) })),
  };
};

/** Scale of accuracies: each halving of the errors takes the same space, 100 % is at `finest`. */
const ninesScale = (values, format, { finest = 1e-3 }) => {
  const [low, high] = extent(values);
  const nines = (value) => -Math.log10(Math.max(1 - value, finest));
  const from = nines(NINES.findLast((tick) => tick <= low + 1e-9) ?? 0);
  const perfect = high > 1 - finest * 1.01;
  const roof = perfect ? 1 : Math.min(NINES.find((tick) => tick >= high - 1e-9) ?? 1, 1);
  const to = Math.max(nines(roof), from + 0.3);
  const shown = NINES.filter((tick) => nines(tick) >= from && nines(tick) <= to);
  const ticks = shown.filter((tick) => tick < 1 - finest);
  return {
    at: (value) => (nines(value) - from) / (to - from),
    ticks: [...ticks, ...(perfect ? [1] : [])].map((value) => ({ value, text: format(value) })),
  };
};

/**
 * Vertical axis for values, all of them finite (above 0 for "log"): {at(value) -> 0..1, ticks:
 * [{value, text}] from below}. Options as makeChart has them.
 */
export const chooseScale = (options, values) => {
  const format = options.format;
  if (options.scale === "nines") return ninesScale(values, format, options);
  const [low, high] = extent(values);
  const wide = low > 0 && high > 10 * low;
  if (options.scale === "log" || (options.scale === "auto" && wide)) {
    return logScale(values, format);
  }
  return linearScale(values, format, options);
};

/** Moves label positions apart: none is closer than `gap` to the next; keeps their order. */
export const spreadLabels = (positions, gap, low, high) => {
  const order = positions.map((_, i) => i).sort((a, b) => positions[a] - positions[b]);
  const placed = [...positions];
  order.forEach((i, rank) => {
    const least = rank ? placed[order[rank - 1]] + gap : low;
    placed[i] = Math.max(placed[i], least);
  });
  let most = high;
  [...order].reverse().forEach((i) => {
    placed[i] = Math.min(placed[i], most);
    most = placed[i] - gap;
  });
  return placed;
};
