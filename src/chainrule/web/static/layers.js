// Layer view: plates of squares, one per neuron; a neuron is selected by pointer or keys.

import { element, magnitude, paint, signedScale } from "./canvas.js";
import { neuronKey } from "./network.js";

const WIDEST = 22;
const PLATE = 352;
const IN_A_ROW = 16;

/** Squares per row of a plate with this number of units. */
export const plateColumns = (units) =>
  units <= IN_A_ROW ? units : Math.ceil(Math.sqrt(units * 1.0001));

/** The side of a square, in CSS pixels. */
const squareSide = (columns) => Math.max(4, Math.min(WIDEST, Math.floor(PLATE / columns)));

const plateTitle = ({ layers, link }, i) => {
  const { fanOut, activation } = layers[i];
  const units = `${fanOut.toLocaleString("en")} × ${activation}`;
  return i < layers.length - 1 ? `Layer ${i + 1}: ${units}` : `Output: ${units}, then ${link}`;
};

/** Places a mark on the square of a unit, in percent of its plate. */
const placeOn = (mark, unit, columns, rows) => {
  mark.style.left = `${(100 * (unit % columns)) / columns}%`;
  mark.style.top = `${(100 * Math.floor(unit / columns)) / rows}%`;
  mark.style.width = `${100 / columns}%`;
  mark.style.height = `${100 / rows}%`;
};

/** One layer: its canvas, its marks, and its pointer and key handlers. */
const makePlate = (network, i, classes, choose) => {
  const layer = network.layers[i];
  const title = plateTitle(network, i);
  const columns = plateColumns(layer.fanOut);
  const rows = Math.ceil(layer.fanOut / columns);
  const canvas = element("canvas", { className: "pixels", tabIndex: 0 });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", title);
  canvas.style.width = `${columns * squareSide(columns)}px`;
  canvas.style.aspectRatio = `${columns} / ${rows}`;
  const marker = element("div", { className: "marker", hidden: true });
  const plate = element("div", { className: "plate" }, [canvas, marker]);
  const children = [element("h3", { textContent: title }), plate];
  if (i === network.layers.length - 1 && rows === 1) {
    const names = element("div", { className: "names muted", ariaHidden: "true" });
    names.append(...classes.map((name) => element("span", { textContent: name })));
    names.style.width = canvas.style.width;
    children.push(names);
  }
  let current = 0;

  const unitAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * rows);
    const unit = row * columns + column;
    return column >= 0 && column < columns && unit >= 0 && unit < layer.fanOut ? unit : null;
  };
  canvas.addEventListener("pointermove", (event) => {
    const unit = unitAt(event);
    if (unit !== null) choose.point({ layer: i, unit });
  });
  canvas.addEventListener("pointerleave", () => choose.point(null));
  canvas.addEventListener("click", (event) => {
    const unit = unitAt(event);
    if (unit === null) return;
    current = unit;
    choose.hold({ layer: i, unit });
  });
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  canvas.addEventListener("focus", () => {
    if (canvas.matches(":focus-visible")) choose.point({ layer: i, unit: current });
  });
  canvas.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (step && current + step >= 0 && current + step < layer.fanOut) {
      current += step;
      choose.point({ layer: i, unit: current });
    } else if (event.key === "Enter" || event.key === " ") {
      choose.hold({ layer: i, unit: current });
    } else if (!step) {
      return;
    }
    event.preventDefault();
  });
  return { columns, rows, canvas, marker, plate, root: element("div", { className: "layer" }, children) };
};

/**
 * Fills `root` with the plates of a network.
 * choose: {point(neuron or null), hold(neuron)}, neuron = {layer, unit}.
 * Returns {show(pass, off), mark(neuron)}.
 */
export const makeLayers = (root, network, classes, choose) => {
  const plates = network.layers.map((_, i) => makePlate(network, i, classes, choose));
  root.replaceChildren(...plates.map((plate) => plate.root));
  return {
    show: (pass, off) => {
      const scale = signedScale();
      plates.forEach(({ canvas, columns, rows, plate }, i) => {
        const A = pass ? pass.A[i] : new Float64Array(network.layers[i].fanOut);
        const most = magnitude(A);
        paint(canvas, Array.from(A, (value) => value / most), columns, scale);
        plate.querySelectorAll(".off").forEach((mark) => mark.remove());
        A.forEach((_, unit) => {
          if (!off.has(neuronKey(i, unit))) return;
          const mark = element("div", { className: "off" });
          placeOn(mark, unit, columns, rows);
          plate.append(mark);
        });
      });
    },
    mark: (neuron) => {
      plates.forEach(({ marker, columns, rows }, i) => {
        marker.hidden = neuron?.layer !== i;
        if (!marker.hidden) placeOn(marker, neuron.unit, columns, rows);
      });
    },
  };
};
