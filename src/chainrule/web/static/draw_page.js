// The drawing page: a drawing goes through preprocess.js and network.js, then all views update.

import { decodeModel, inputGradient, neuronKey, predict } from "./network.js";
import { seenBy } from "./preprocess.js";
import { makeSheet } from "./sheet.js";
import { greyScale, inkScale, magnitude, onColoursChange, paint, signedScale } from "./canvas.js";
import { argmax, makeBars, showAnswer } from "./answer.js";
import { makeLayers } from "./layers.js";
import { neuronName, showNeuron } from "./neuron.js";
import { digitAt, listDigits, readPhoto, showPhoto } from "./photo.js";

const byId = (id) => document.getElementById(id);

const fail = (message) => {
  byId("failure").textContent = message;
  byId("failure").hidden = !message;
};

/** The model: embedded in an exported file, or fetched from the service of this page. */
const loadModel = async () => {
  const embedded = byId("embedded");
  if (embedded) return decodeModel(JSON.parse(embedded.textContent));
  const answer = await fetch("v1/weights");
  const description = await answer.json();
  if (!answer.ok) throw new Error(description.error);
  return decodeModel(description);
};

const start = (model) => {
  if (!model.form) {
    throw new Error(
      `The form of the ${model.width} × ${model.height} inputs that this network was trained on ` +
        "is unknown, or they are no pictures: nothing can be drawn for it.",
    );
  }
  const network = model.members[0];
  const off = new Set();
  let photo = null;
  let chosenDigit = 0;
  let chosenClass = null;
  let held = { layer: 0, unit: 0 };
  let pointed = null;
  let pixels = null;
  let result = null;
  let hint = "";
  let notes = [];

  const { form } = model;
  const ground = form.background ?? 0;
  /** Brighter is more ink, or less; for photographs just brighter. */
  const inkward = form.background === null ? 1 : Math.sign(form.ink - ground) || 1;
  /** Amounts of ink 0..1 of a network's inputs; of photographs their brightness. */
  const inkOf = (values) =>
    Array.from(values, (v) => (form.background === null ? v : (v - ground) / (form.ink - ground)));
  const inputScale = () => (form.background === null ? greyScale() : inkScale());
  const blank = () => new Float32Array(model.height * model.width).fill(ground);
  const neuronElements = {
    title: byId("neuron-title"), canvas: byId("weights"), caption: byId("weights-caption"),
    terms: byId("terms"), sum: byId("sum"), activation: byId("activation"),
  };

  const chooseDigit = (i) => {
    chosenDigit = i;
    update();
  };
  const sheet = makeSheet(
    byId("sheet"),
    () => {
      photo = null;
      refresh();
    },
    (x, y) => {
      const touched = photo ? digitAt(byId("sheet"), photo, x, y) : -1;
      if (touched >= 0) chooseDigit(touched);
      return touched >= 0;
    },
  );
  const bars = makeBars(byId("bars"), model.classes, (k) => {
    chosenClass = chosenClass === k ? null : k;
    show();
  });
  const layers = makeLayers(byId("layers"), network, model.classes, {
    point: (neuron) => {
      pointed = neuron;
      showChosen();
    },
    hold: (neuron) => {
      held = neuron;
      pointed = null;
      showChosen();
    },
  });

  const showChosen = () => {
    const neuron = pointed ?? held;
    layers.mark(neuron);
    showNeuron(neuronElements, model, neuron, result?.pass ?? null, off);
    const isOff = off.has(neuronKey(held.layer, held.unit));
    byId("switch").setAttribute("aria-pressed", String(isOff));
    byId("switch").textContent = `Turn ${isOff ? "on" : "off"}: ${neuronName(model, held)}`;
    byId("all-on").hidden = off.size === 0;
  };

  const showEvidence = (k) => {
    const gradient = result
      ? inputGradient(network, result.pass, k, off)
      : new Float64Array(model.height * model.width);
    const most = magnitude(gradient);
    const signed = Array.from(gradient, (d) => (inkward * d) / most);
    paint(byId("evidence"), signed, model.width, signedScale(), pixels && inkOf(pixels));
    byId("evidence-class").textContent = result ? `“${model.classes[k]}”` : "a class";
  };

  const show = () => {
    const probabilities = result?.probabilities ?? null;
    const k = chosenClass ?? (probabilities ? argmax(probabilities) : 0);
    const threshold = Number(byId("sure").value) / 100;
    byId("sure-value").textContent = `${byId("sure").value} %`;
    paint(byId("seen"), inkOf(pixels ?? blank()), model.width, inputScale());
    showAnswer(byId("answer"), probabilities, model.classes, threshold, hint);
    bars.show(probabilities, result ? k : null);
    showEvidence(k);
    layers.show(result?.pass ?? null, off);
    showChosen();
    byId("notes").textContent = notes.join("; ");
    byId("found").hidden = !photo;
    if (!photo) return;
    showPhoto(byId("sheet"), photo, chosenDigit);
    const labels = photo.digits.map((digit) => {
      const p = predict(model, digit.pixels, off).probabilities;
      const best = argmax(p);
      return p[best] < threshold ? `${model.classes[best]}?` : model.classes[best];
    });
    const inputs = photo.digits.map((digit) => inkOf(digit.pixels));
    const shown = { inputs, columns: model.width, scale: inputScale() };
    listDigits(byId("found-list"), shown, labels, chosenDigit, chooseDigit);
  };

  /** Preprocesses the drawing; sets the pixels, or a hint why there are none. */
  const look = () => {
    notes = photo?.notes ?? [];
    if (photo) return photo.digits[chosenDigit].pixels;
    if (sheet.isEmpty()) {
      hint = "Nothing drawn yet.";
      return null;
    }
    try {
      const seen = seenBy(sheet.image(), form, false);
      notes = seen.notes;
      return seen.digits[0].pixels;
    } catch (error) {
      hint = error.message;
      return null;
    }
  };

  const update = () => {
    const began = performance.now();
    pixels = look();
    result = pixels && predict(model, pixels, off);
    byId("took").textContent = pixels ? `, in ${(performance.now() - began).toFixed(1)} ms` : "";
    show();
  };

  let waiting = false;
  const refresh = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      update();
    });
  };

  const takePhoto = async (file) => {
    fail("");
    try {
      photo = await readPhoto(file, model);
    } catch (error) {
      fail(error.message);
      return;
    }
    sheet.forget();
    chosenDigit = 0;
    update();
  };

  byId("undo").addEventListener("click", sheet.undo);
  byId("clear").addEventListener("click", sheet.clear);
  byId("brush").addEventListener("input", (event) => sheet.setBrush(Number(event.target.value)));
  byId("sure").addEventListener("input", show);
  byId("photo").addEventListener("change", (event) => {
    if (event.target.files[0]) takePhoto(event.target.files[0]);
    event.target.value = "";
  });
  byId("switch").addEventListener("click", () => {
    const key = neuronKey(held.layer, held.unit);
    if (!off.delete(key)) off.add(key);
    update();
  });
  byId("all-on").addEventListener("click", () => {
    off.clear();
    update();
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches?.("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "z" || event.key === "Z") sheet.undo();
    if (event.key === "Delete" || event.key === "Backspace") sheet.clear();
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    byId("sheet").classList.add("dropping");
  });
  document.addEventListener("dragleave", () => byId("sheet").classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    byId("sheet").classList.remove("dropping");
    if (event.dataTransfer.files[0]) takePhoto(event.dataTransfer.files[0]);
  });
  onColoursChange(show);

  const widths = [network.layers[0].fanIn, ...network.layers.map((layer) => layer.fanOut)];
  const members = model.members.length > 1 ? `, the first of ${model.members.length}` : "";
  byId("model-line").textContent = `${model.name}: ${widths.join("–")}${members}`;
  if (!model.readsDigits) byId("title").textContent = "Draw, look inside";
  byId("seen-size").textContent = `${model.width} × ${model.height}`;
  byId("evidence-what").textContent = form.background === null ? "Brighter" : "More ink";
  byId("page").hidden = false;
  update();
};

try {
  start(await loadModel());
} catch (error) {
  byId("model-line").textContent = "";
  fail(error.message);
}
