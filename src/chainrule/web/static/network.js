// The network in the browser: the forward pass and the gradient w.r.t. the input, as in network.py.
// One image at a time, so that Z, A and dZ are vectors.

const LEAK = 0.01;
const GELU_SCALE = Math.sqrt(2 / Math.PI);
const GELU_CUBIC = 0.044715;

const gate = (z) => (1 + Math.tanh(z / 2)) / 2;
const geluGate = (z) => gate(2 * GELU_SCALE * (z + GELU_CUBIC * z ** 3));

/**
 * Each activation a = g(z) with its derivative, given z and a: the rows of activations.py except
 * softmax, which takes a whole layer at once.
 */
export const ACTIVATIONS = {
  "identity": { forward: (z) => z, slope: () => 1, formula: "z" },
  "sigmoid": { forward: gate, slope: (z, a) => a * (1 - a), formula: "1 / (1 + e⁻ᶻ)" },
  "tanh": { forward: Math.tanh, slope: (z, a) => 1 - a * a, formula: "tanh z" },
  "relu": { forward: (z) => Math.max(z, 0), slope: (z) => Number(z > 0), formula: "max(z, 0)" },
  "leaky-relu": {
    forward: (z) => Math.max(z, LEAK * z),
    slope: (z) => (z > 0 ? 1 : LEAK),
    formula: "max(z, 0.01 z)",
  },
  "elu": {
    forward: (z) => Math.max(z, Math.expm1(Math.min(z, 0))),
    slope: (z, a) => Math.min(a, 0) + 1,
    formula: "z if z > 0, else eᶻ − 1",
  },
  "gelu": {
    forward: (z) => z * geluGate(z),
    slope: (z, a) => {
      const S = geluGate(z);
      return S + a * (1 - S) * 2 * GELU_SCALE * (1 + 3 * GELU_CUBIC * z * z);
    },
    formula: "z (1 + tanh(0.798 (z + 0.0447 z³))) / 2",
  },
  "silu": {
    forward: (z) => z * gate(z),
    slope: (z, a) => gate(z) + a * (1 - gate(z)),
    formula: "z / (1 + e⁻ᶻ)",
  },
};

/** Class probabilities from the last layer's outputs; both Float64Array(K). */
const softmax = (outputs) => {
  const highest = Math.max(...outputs);
  const powers = outputs.map((z) => Math.exp(z - highest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
};

const activate = (name, Z) => {
  if (name === "softmax") return softmax(Z);
  // The link of a Poisson mean is no activation.
  const forward = name === "exp" ? Math.exp : ACTIVATIONS[name].forward;
  return Z.map((z) => forward(z));
};

const activateBackward = (name, dA, Z, A) => {
  if (name === "softmax") {
    const mean = dA.reduce((sum, value, unit) => sum + value * A[unit], 0);
    return dA.map((value, unit) => A[unit] * (value - mean));
  }
  return dA.map((value, unit) => value * ACTIVATIONS[name].slope(Z[unit], A[unit]));
};

/** Decodes base64 of float32, little endian. */
const decodeFloats = (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
};

/**
 * The model from the JSON of a page, its weights decoded.
 * Each layer has W, Float32Array (fanIn, fanOut) row by row, and b, Float32Array (fanOut).
 */
export const decodeModel = (description) => ({
  name: description.name,
  classes: description.classes,
  readsDigits: description.classes.join() === "0,1,2,3,4,5,6,7,8,9",
  height: description.shape[0],
  width: description.shape[1],
  /** Form of the training images: for preprocess.js; null if they are no pictures. */
  form: description.form && {
    height: description.shape[0], width: description.shape[1], ...description.form,
  },
  pixelScale: description.pixel_scale,
  members: description.members.map((member) => ({
    link: member.link,
    layers: member.layers.map((layer) => ({
      fanIn: layer.fan_in,
      fanOut: layer.fan_out,
      activation: layer.activation,
      W: decodeFloats(layer.W),
      b: decodeFloats(layer.b),
    })),
  })),
});

/** Key of a neuron of member 0 in the set of those switched off. */
export const neuronKey = (layer, unit) => `${layer}:${unit}`;

/**
 * Forward pass of one image through one network.
 * X: pixels times the model's scale, (n). off: a Set of neuronKeys whose output is held at 0.
 * Returns {X, Z, A, probabilities}; Z[i] and A[i] are layer i's Float64Array (fanOut).
 */
export const forward = (network, X, off = new Set()) => {
  const Z = [];
  const A = [];
  let input = X;
  network.layers.forEach((layer, i) => {
    const sums = Float64Array.from(layer.b);
    input.forEach((value, row) => {
      if (value === 0) return;
      const start = row * layer.fanOut;
      for (let unit = 0; unit < layer.fanOut; unit += 1) {
        sums[unit] += value * layer.W[start + unit];
      }
    });
    const activations = activate(layer.activation, sums);
    for (let unit = 0; unit < layer.fanOut; unit += 1) {
      if (off.has(neuronKey(i, unit))) activations[unit] = 0;
    }
    Z.push(sums);
    A.push(activations);
    input = activations;
  });
  return { X, Z, A, probabilities: activate(network.link, input) };
};

/**
 * The gradient of one class's weighted sum z_k, in the last layer, w.r.t. each input: chain rule
 * dA_prev = dZ W', dZ_prev = dA_prev g'(Z_prev), back to the pixels. Float64Array (n).
 */
export const inputGradient = (network, pass, k, off = new Set()) => {
  let dZ = new Float64Array(network.layers.at(-1).fanOut);
  dZ[k] = 1;
  for (let i = network.layers.length - 1; i >= 0; i -= 1) {
    const layer = network.layers[i];
    const dInput = new Float64Array(layer.fanIn);
    for (let row = 0; row < layer.fanIn; row += 1) {
      let sum = 0;
      for (let unit = 0; unit < layer.fanOut; unit += 1) {
        sum += layer.W[row * layer.fanOut + unit] * dZ[unit];
      }
      dInput[row] = sum;
    }
    if (i === 0) return dInput;
    const below = i - 1;
    const dA = dInput.map((value, unit) => (off.has(neuronKey(below, unit)) ? 0 : value));
    dZ = activateBackward(network.layers[below].activation, dA, pass.Z[below], pass.A[below]);
  }
  return dZ;
};

/**
 * Prediction of a model for pixels in 0..1, (n): the mean over its members, and member 0's pass.
 * Returns {probabilities, pass}.
 */
export const predict = (model, pixels, off = new Set()) => {
  const X = Float64Array.from(pixels, (pixel) => pixel * model.pixelScale);
  const passes = model.members.map((member, i) => forward(member, X, i ? new Set() : off));
  const probabilities = passes[0].probabilities.map(
    (_, k) => passes.reduce((sum, pass) => sum + pass.probabilities[k], 0) / passes.length,
  );
  return { probabilities, pass: passes[0] };
};
