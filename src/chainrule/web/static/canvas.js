// Colour maps: a picture of values on a canvas, in the colours of the page.

const parseColour = (text) => {
  const digits = text.trim().slice(1);
  return [0, 2, 4].map((start) => parseInt(digits.slice(start, start + 2), 16));
};

/** A colour of style.css, such as "--blue", as [red, green, blue]; the CSS has it as #rrggbb. */
export const pageColour = (name) =>
  parseColour(getComputedStyle(document.documentElement).getPropertyValue(name));

const SHADOW = 0.45;

const mixed = (from, to, share) => from.map((value, i) => value + (to[i] - value) * share);

/** Sequential scale for 0..1: one colour, from the ground to full ink. */
export const inkScale = () => {
  const [ground, ink] = [pageColour("--cell"), pageColour("--ink")];
  return (value) => mixed(ground, ink, Math.min(Math.max(value, 0), 1));
};

/** Grey of a photograph: 0 black, 1 white. */
export const greyScale = () => (value) => [0, 1, 2].map(() => 255 * Math.min(Math.max(value, 0), 1));

/** Diverging scale for -1..1: orange over the ground to blue; zero is the ground. */
export const signedScale = () => {
  const [ground, below, above] = ["--cell", "--orange", "--blue"].map(pageColour);
  return (value) => mixed(ground, value < 0 ? below : above, Math.min(Math.abs(value), 1));
};

/** The largest magnitude among values, never 0, so that one can divide by it. */
export const magnitude = (values) =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);

/**
 * Paints values (rows * columns), each one pixel of the canvas, coloured by scale(value).
 * over: ink 0..1 of the same size, overlaid faintly; or null.
 */
export const paint = (canvas, values, columns, scale, over = null) => {
  const rows = Math.ceil(values.length / columns);
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
  }
  const image = new ImageData(columns, rows);
  const ink = over && pageColour("--ink");
  values.forEach((value, i) => {
    const colour = scale(value);
    const [red, green, blue] = over ? mixed(colour, ink, SHADOW * over[i]) : colour;
    image.data.set([red, green, blue, 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
};

/** Calls back when the page switches between light and dark, as every picture is then stale. */
export const onColoursChange = (callback) =>
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", callback);

/** Creates an element from its tag, properties and children. */
export const element = (tag, properties = {}, children = []) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
