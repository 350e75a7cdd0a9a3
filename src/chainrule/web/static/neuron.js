// Neuron view: its weights as a picture, and w.x + b term by term.

import { ACTIVATIONS, neuronKey } from "./network.js";
import { element, magnitude, paint, signedScale } from "./canvas.js";
import { plateColumns } from "./layers.js";

const TERMS = 8;
/** Those, the smaller ones, the zeros and the bias: a fixed number, so that nothing jumps. */
const ROWS = TERMS + 3;

const figure = (value) => {
  const text = Math.abs(value) >= 1000 || (value && Math.abs(value) < 0.001)
    ? value.toExponential(2)
    : value.toFixed(4);
  return text.replace("-", "−");
};

/** Name of a neuron, such as "Layer 2, neuron 17" or "Output 7". */
export const neuronName = (model, { layer, unit }) =>
  layer === model.members[0].layers.length - 1
    ? `Output “${model.classes[unit]}”`
    : `Layer ${layer + 1}, neuron ${unit + 1}`;

const inputName = (model, layer, row) =>
  layer === 0
    ? `pixel ${Math.floor(row / model.width) + 1}, ${(row % model.width) + 1}`
    : `neuron ${row + 1}`;

/** A neuron's weights, one per input, Float32Array (fanIn). */
const weightsInto = (layer, unit) =>
  Float32Array.from({ length: layer.fanIn }, (_, row) => layer.W[row * layer.fanOut + unit]);

/** The terms x w of a weighted sum, the largest first: [{row, x, w, product}]. */
const weightyTerms = (x, w) =>
  Array.from(x, (value, row) => ({ row, x: value, w: w[row], product: value * w[row] }))
    .filter((term) => term.product !== 0)
    .sort((one, other) => Math.abs(other.product) - Math.abs(one.product));

const termRow = (cells, className = "") =>
  element("tr", { className }, cells.map((text, i) =>
    i ? element("td", { textContent: text }) : element("th", { scope: "row", textContent: text }),
  ));

const fillRows = (place, rows) => {
  const empty = Array.from({ length: ROWS - rows.length }, () => termRow(["\u00a0"]));
  place.replaceChildren(...rows, ...empty);
};

/**
 * Shows one neuron of member 0 in the elements {title, canvas, caption, terms, sum, activation}.
 * pass: the result of forward(), or null while nothing is drawn.
 */
export const showNeuron = (elements, model, neuron, pass, off) => {
  const network = model.members[0];
  const layer = network.layers[neuron.layer];
  const w = weightsInto(layer, neuron.unit);
  const most = magnitude(w);
  const columns = neuron.layer === 0 ? model.width : plateColumns(layer.fanIn);
  elements.title.textContent = neuronName(model, neuron);
  paint(elements.canvas, Array.from(w, (value) => value / most), columns, signedScale());
  const inputs = neuron.layer === 0
    ? "each pixel of the image"
    : `each of the ${layer.fanIn} neurons before it`;
  elements.caption.textContent =
    `Its weights for ${inputs}: blue above 0, orange below, at most ${figure(most)} either way.`;
  if (!pass) {
    fillRows(elements.terms, []);
    elements.sum.textContent = "Draw something, and its sum is written out here.";
    elements.activation.textContent = "\u00a0";
    return;
  }
  const x = neuron.layer === 0 ? pass.X : pass.A[neuron.layer - 1];
  const terms = weightyTerms(x, w);
  const rows = terms.slice(0, TERMS).map((term) =>
    termRow([
      inputName(model, neuron.layer, term.row),
      figure(term.x), figure(term.w), figure(term.product),
    ]),
  );
  const rest = terms.slice(TERMS).reduce((total, term) => total + term.product, 0);
  if (terms.length > TERMS) {
    const label = `${(terms.length - TERMS).toLocaleString("en")} smaller terms`;
    rows.push(termRow([label, "", "", figure(rest)], "rest"));
  }
  const zeros = x.length - terms.length;
  if (zeros) {
    rows.push(termRow([`${zeros.toLocaleString("en")} inputs of 0`, "", "", figure(0)], "rest"));
  }
  rows.push(termRow(["bias b", "", "", figure(layer.b[neuron.unit])]));
  fillRows(elements.terms, rows);
  const z = pass.Z[neuron.layer][neuron.unit];
  const a = pass.A[neuron.layer][neuron.unit];
  elements.sum.textContent = `z = w·x + b = ${figure(z)}`;
  const formula = layer.activation === "softmax"
    ? "eᶻ / the sum of all eᶻ of its layer"
    : ACTIVATIONS[layer.activation].formula;
  elements.activation.textContent = off.has(neuronKey(neuron.layer, neuron.unit))
    ? "a = 0, as it is turned off"
    : `a = ${layer.activation}(z) = ${layer.activation === "identity" ? "z" : formula} = ${figure(a)}`;
};
