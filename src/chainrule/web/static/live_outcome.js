// The outcome of a run: figures, settings, confusions, pictures.

import { element } from "./canvas.js";
import { shortPercent } from "./scales.js";

const LONGEST_TABLE = 14;
const TITLES = {
  curves: "Loss and accuracy, epoch by epoch",
  confusion: "Confusion matrix",
  mistakes: "Test images that it gets wrong",
  samples: "Test images and what it reads",
  first_layer: "What the first layer looks for",
};

const rowsTable = (rows) =>
  element("table", {}, rows.map(([name, value]) => element("tr", {}, [
    element("th", { scope: "row", textContent: name }),
    element("td", { textContent: value }),
  ])));

/** A table under its title; a long one continues in a second column. */
const plainTable = (title, rows) => {
  const count = Math.ceil(rows.length / LONGEST_TABLE);
  const size = Math.ceil(rows.length / count);
  const parts = Array.from({ length: count }, (_, i) =>
    rowsTable(rows.slice(i * size, (i + 1) * size)));
  return element("div", { className: count > 1 ? "long" : "" }, [
    element("h3", { textContent: title }), element("div", { className: "tables" }, parts),
  ]);
};

const asText = (value) => (Array.isArray(value) ? value.map(String).join(", ") : String(value));

const resultRows = (report) => {
  const count = (value) => value.toLocaleString("en-US");
  return [
    ["warning", report.warning, String],
    ["accuracy on test", report.test_accuracy, shortPercent],
    ["test images", report.test_images, count],
    ["95 % interval", report.interval, (ends) => ends.map(shortPercent).join(" to ")],
    ["wrong", report.errors, count],
    ["parameters", report.parameters, count],
    ["epochs", report.epochs, count],
    ["weights of epoch", report.best_epoch, count],
    ["training", report.train_seconds, (seconds) => `${seconds.toFixed(1)} s`],
    ["ended", report.ending, String],
    ["seed", report.seed, String],
  ].flatMap(([name, value, text]) =>
    (value === undefined || value === null ? [] : [[name, text(value)]]));
};

const confusionTable = (matrix, classes) => {
  const most = Math.max(1, ...matrix.flatMap((row, i) => row.filter((_, j) => j !== i)));
  const cell = (count, i, j) => {
    const kind = i === j ? "right" : count ? "" : "none";
    const made = element("td", { textContent: count || "·", className: kind });
    const share = i === j || !count ? 0 : Math.round(10 + (50 * count) / most);
    if (share) made.style.background = `color-mix(in srgb, var(--orange) ${share}%, transparent)`;
    return made;
  };
  const name = (k) => classes[k] ?? String(k);
  return element("div", {}, [
    element("h3", { textContent: "Confusion matrix" }),
    element("table", { className: "confusion" }, [
      element("caption", { className: "hint", textContent: "rows: actual, columns: predicted" }),
      element("tr", {}, [
        element("td"),
        ...matrix.map((_, j) => element("th", { scope: "col", textContent: name(j) })),
      ]),
      ...matrix.map((row, i) => element("tr", {}, [
        element("th", { scope: "row", textContent: name(i) }),
        ...row.map((count, j) => cell(count, i, j)),
      ])),
    ]),
  ]);
};

/** Shows the outcome of a run: {report, config: {table: {name: value}}, pictures: {name: URL}}. */
export const showOutcome = ({ report, config, pictures }, run) => {
  const tables = [];
  if (report) tables.push(plainTable("Figures", resultRows(report)));
  if (report?.confusion) tables.push(confusionTable(report.confusion, run.begin?.classes ?? []));
  Object.entries(config ?? {}).forEach(([title, values]) => {
    const rows = Object.entries(values).map(([name, value]) => [name, asText(value)]);
    if (rows.length) tables.push(plainTable(title, rows));
  });
  document.getElementById("result").hidden = !tables.length;
  document.getElementById("result-tables").replaceChildren(...tables);
  const shown = Object.entries(pictures ?? {}).map(([name, address]) => {
    const title = TITLES[name] ?? name;
    return element("figure", {}, [
      element("img", { src: address, alt: title }),
      element("figcaption", { textContent: title }),
    ]);
  });
  document.getElementById("pictures").hidden = !shown.length;
  document.getElementById("pictures-list").replaceChildren(...shown);
};
