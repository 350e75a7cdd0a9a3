// Views of a run: figures, curves, the first layer, mistakes, manual changes.

import { element, inkScale, paint, signedScale } from "./canvas.js";
import { makeChart } from "./charts.js";
import { shortNumber, shortPercent } from "./scales.js";
import { bytesOf, curvesOf, duration, marksOf, positionOf } from "./live_run.js";

/** The element of the page with this id. */
export const at = (id) => document.getElementById(id);

const charts = {
  loss: makeChart(at("chart-loss"), { title: "Loss", scale: "auto", format: shortNumber }),
  accuracy: makeChart(at("chart-accuracy"), {
    title: "Accuracy", scale: "nines", format: shortPercent, finest: 1e-3,
  }),
  rate: makeChart(at("chart-rate"), {
    title: "Learning rate", scale: "linear", format: shortNumber, note: "That of each step.",
  }),
  ratio: makeChart(at("chart-ratio"), {
    title: "How far a step moves the weights", scale: "log", format: shortNumber,
    note: "The length of a step over the length of the weights, for each layer.",
    guide: { value: 1e-3, text: "about 1/1000 is usual" },
  }),
  stuck: makeChart(at("chart-stuck"), {
    title: "Dead or saturated units", scale: "linear", format: shortPercent, least: 0.05,
    note: "Units that let no gradient through, whichever example they see.",
  }),
};

const countNote = (run) => {
  const [training, validation] = run.begin?.looked_at ?? [0, 0];
  if (!training || !run.observations.length) {
    return "Of a whole epoch; validation is measured after it.";
  }
  const dots = run.epochs.some((epoch) => epoch.validation_loss !== null);
  return `On ${training} training examples${validation ? ` and ${validation} held out` : ""}` +
    `${dots ? "; dots: all that are held out, after each epoch" : ""}.`;
};

const showCharts = (run, domain, frames) => {
  const curves = curvesOf(run);
  const marks = marksOf(run);
  Object.entries(charts).forEach(([name, chart]) => {
    const shown = (frames ?? curves)[name].length > 0 || !(run.end || frames);
    at(`chart-${name}`).hidden = !shown;
    const minimised = name === "loss" && curves.loss.some((one) => one.name === "objective")
      ? " Dashed: what is minimised, with label smoothing and penalties." : "";
    const note = ["loss", "accuracy"].includes(name) ? countNote(run) + minimised : undefined;
    if (shown) {
      chart.show({ series: curves[name], domain, marks, frame: frames?.[name] }, note);
    }
  });
};

const figuresOf = (run) => {
  const seen = run.observations.at(-1);
  const epoch = run.epochs.at(-1);
  const loss = seen ? seen.training[0] : epoch?.loss;
  const known = (value, text) => (value === undefined || value === null ? "–" : text(value));
  const held = seen?.validation?.[1] ?? epoch?.validation_accuracy;
  const [training, validation] = (seen && run.begin?.looked_at) ?? [];
  const of = (count) => (count ? ` of ${count} images` : "");
  const seconds = seen?.seconds ??
    (epoch ? run.epochs.reduce((sum, one) => sum + one.seconds, 0) : undefined);
  return [
    ["Epoch", String(Number(positionOf(run).toFixed(2))), ` of ${run.begin?.epochs ?? "?"}`],
    ["Training loss", known(loss, shortNumber), ""],
    held === undefined || held === null
      ? ["Training accuracy", known(seen?.training[1], shortPercent), of(training)]
      : ["Validation accuracy", shortPercent(held), of(seen?.validation && validation)],
    ["Learning rate", known(seen?.learning_rate ?? epoch?.learning_rate, shortNumber), ""],
    ["Time", known(seconds, duration), ""],
  ];
};

const showFigures = (run) => {
  at("figures").replaceChildren(...figuresOf(run).map(([name, value, more]) =>
    element("div", {}, [
      element("dt", { textContent: name }),
      element("dd", {}, [value, element("small", { textContent: more })]),
    ]),
  ));
};

const showHeader = (run) => {
  if (!run.begin) return;
  const { widths, parameters, recipe, examples } = run.begin;
  const parts = [
    run.begin.run,
    recipe && `recipe ${recipe}`,
    widths && widths.join(" → "),
    parameters && `${parameters.toLocaleString("en-US")} parameters`,
    examples && `${examples.toLocaleString("en-US")} images to train on`,
  ];
  at("run-line").textContent = parts.filter(Boolean).join(" · ");
};

const showFirstLayer = (run) => {
  at("first-layer").hidden = !run.weights;
  if (!run.weights) return;
  const { units, scale, pictures } = run.weights;
  const [height, width] = run.begin.shape;
  const values = Array.from(bytesOf(pictures), (byte) => (byte - 128) / 127);
  const place = at("first-layer-pictures");
  while (place.children.length < units) {
    place.append(element("canvas", { className: "pixels" }));
  }
  const colours = signedScale();
  [...place.children].forEach((canvas, unit) => {
    const size = height * width;
    paint(canvas, values.slice(unit * size, (unit + 1) * size), width, colours);
  });
  const count = `${units} of ${run.begin.widths[1]} units`;
  at("first-layer-count").textContent = `${count}; full colour is ±${shortNumber(scale)}`;
  place.setAttribute("aria-label", `The weights of ${count} as pictures`);
};

const mistakeItem = (run, [index, label, predicted, confidence], colours) => {
  const name = (k) => run.begin.classes?.[k] ?? String(k);
  const canvas = element("canvas", { className: "pixels" });
  canvas.setAttribute("aria-hidden", "true");
  if (run.images.has(index)) {
    const values = Array.from(bytesOf(run.images.get(index)), (byte) => byte / 255);
    paint(canvas, values, run.begin.shape[1], colours);
  }
  return element("li", {}, [canvas, element("p", {}, [
    element("strong", { textContent: name(label) }), ` read as ${name(predicted)}`,
    element("br"),
    element("span", { className: "muted", textContent: `${Math.round(100 * confidence)} % sure` }),
  ])]);
};

const showMistakes = (run) => {
  const seen = run.observations.at(-1);
  at("mistakes").hidden = !seen;
  if (!seen) return;
  const colours = inkScale();
  const [training, validation] = run.begin.looked_at;
  const looked = validation ? `${validation} held-out examples` : `${training} training examples`;
  const wrong = Math.round((1 - (seen.validation ?? seen.training)[1]) * (validation || training));
  at("mistakes-note").textContent = `Of ${looked}, ${wrong} are read wrong` +
    `${wrong > seen.mistakes.length ? `; these ${seen.mistakes.length} are the worst` : ""}.`;
  at("mistakes-list").replaceChildren(
    ...seen.mistakes.map((mistake) => mistakeItem(run, mistake, colours)),
  );
};

const showChanges = (run) => {
  const changes = run.byHand.filter(({ action }) => action === "rate");
  at("changes").hidden = !changes.length;
  at("changes-list").replaceChildren(...changes.map(({ step, text }) =>
    element("li", { textContent: `Step ${step.toLocaleString("en-US")}: ${text}` }),
  ));
};

/**
 * Shows all that is known of a run; domain is [first, last] epoch of the curves, `frames` the
 * curves that the axes must cover, if those of the run itself are not all.
 */
export const showRun = (run, domain, frames) => {
  showHeader(run);
  showFigures(run);
  showCharts(run, domain, frames);
  showFirstLayer(run);
  showMistakes(run);
  showChanges(run);
};

/** Shows a sentence in the status line; `wrong` marks a refusal. */
export const say = (text, wrong = false) => {
  const place = at("said");
  if (place.textContent !== text) place.textContent = text;
  place.classList.toggle("wrong", wrong);
};
