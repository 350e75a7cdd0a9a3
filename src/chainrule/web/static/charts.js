// Line charts in SVG: round ticks, labels at the ends of the lines, values on hover.

import { element } from "./canvas.js";
import { chooseScale, roundTicks, shortNumber, spreadLabels } from "./scales.js";

const NAMESPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 230;
const TOP = 20;
const BOTTOM = 36;
const LETTER = 7;
const LABEL_GAP = 15;

const svgElement = (tag, attributes, text) => {
  const made = document.createElementNS(NAMESPACE, tag);
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  if (text !== undefined) made.textContent = text;
  return made;
};

const usable = (options) => ([, value]) =>
  value !== null && Number.isFinite(value) && (options.scale !== "log" || value > 0);

/** The path of the points (x, y) in pixels, broken where one is missing. */
const pathOf = (points, toX, toY, isUsable) => {
  let pen = "M";
  return points.reduce((path, point) => {
    if (!isUsable(point)) {
      pen = "M";
      return path;
    }
    const step = `${pen}${toX(point[0]).toFixed(1)} ${toY(point[1]).toFixed(1)}`;
    pen = "L";
    return path + step;
  }, "");
};

/**
 * Makes a chart inside `place`. Options: title, note, format(value) -> text, scale "linear", "log",
 * "auto" (logarithmic if the values span more than a factor of ten) or "nines" (accuracies), least
 * (lowest maximum of the axis), finest (the smallest error that "nines" resolves), guide
 * {value, text}: a reference line.
 *
 * Returns {show({series, domain, marks}, note)}: series are [{name, points: [[x, y or null], ...],
 * dots, colour}], dots without a line if `dots` is true, `colour` 0..5 if it is not that of its
 * index; domain is [lowest x, highest x]; marks are [{x, text}]; `frame`, if given, are the series
 * that the vertical axis must cover.
 */
export const makeChart = (place, options) => {
  const note = element("p", { className: "hint", textContent: options.note ?? "" });
  const plot = element("div", { className: "plot", tabIndex: 0 });
  const svg = svgElement("svg", { "aria-hidden": "true", height: HEIGHT });
  const readout = element("div", { className: "readout", hidden: true });
  const spoken = element("p", { className: "visually-hidden" });
  const table = element("table", { className: "visually-hidden" });
  plot.setAttribute("role", "group");
  plot.setAttribute("aria-label", `${options.title}: a chart; the arrow keys read it`);
  spoken.setAttribute("aria-live", "polite");
  plot.append(svg, readout);
  place.replaceChildren(
    element("h2", { textContent: options.title }), note, plot, spoken, table,
  );
  let content = { series: [], domain: [0, 1], marks: [] };
  let geometry = null;
  let cursor = null;

  const render = () => {
    const width = plot.clientWidth;
    if (!width) return;
    geometry = layOut(content, options, width);
    svg.setAttribute("width", width);
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.replaceChildren(...geometry.parts);
    if (cursor !== null) showCursor(cursor);
  };

  const hideCursor = () => {
    cursor = null;
    readout.hidden = true;
    svg.querySelector(".cursor")?.remove();
  };

  const showCursor = (wanted) => {
    svg.querySelector(".cursor")?.remove();
    const xs = geometry ? geometry.xs : [];
    if (!xs.length) return hideCursor();
    cursor = xs.reduce((best, x) => (Math.abs(x - wanted) < Math.abs(best - wanted) ? x : best));
    const rows = valuesAt(content.series, cursor, usable(options));
    const group = svgElement("g", { class: "cursor" });
    const left = geometry.toX(cursor);
    group.append(svgElement("line", { x1: left, x2: left, y1: TOP, y2: HEIGHT - BOTTOM }));
    rows.forEach(({ index, value }) => {
      const spot = { cx: left, cy: geometry.toY(value), r: 4, class: `dot series-${index}` };
      group.append(svgElement("circle", spot));
    });
    svg.append(group);
    readout.replaceChildren(
      element("strong", { textContent: `epoch ${Number(cursor.toFixed(2))}` }),
      ...rows.map(({ name, index, value }) => element("span", {}, [
        element("i", { className: `key series-${index}` }), `${name} ${options.format(value)}`,
      ])),
    );
    readout.hidden = false;
    const beyond = left > plot.clientWidth / 2;
    readout.style.left = beyond ? "" : `${left + 10}px`;
    readout.style.right = beyond ? `${plot.clientWidth - left + 10}px` : "";
    return undefined;
  };

  const moveCursor = (steps) => {
    if (!geometry || !geometry.xs.length) return;
    const { xs } = geometry;
    const now = cursor === null ? xs.length - 1 : xs.indexOf(cursor) + steps;
    showCursor(xs[Math.min(Math.max(now, 0), xs.length - 1)]);
    spoken.textContent = [...readout.children].map((child) => child.textContent).join(", ");
  };

  plot.addEventListener("pointermove", (event) => {
    if (geometry) showCursor(geometry.fromX(event.clientX - plot.getBoundingClientRect().left));
  });
  plot.addEventListener("pointerleave", hideCursor);
  plot.addEventListener("blur", hideCursor);
  plot.addEventListener("keydown", (event) => {
    const stride = event.shiftKey ? 10 : 1;
    const steps = { ArrowLeft: -stride, ArrowRight: stride, Home: -1e9, End: 1e9 }[event.key];
    if (event.key === "Escape") hideCursor();
    if (!steps) return;
    event.preventDefault();
    moveCursor(steps);
  });
  new ResizeObserver(render).observe(plot);

  return {
    show: (given, text = options.note ?? "") => {
      content = given;
      note.textContent = text;
      fillTable(table, content.series, options);
      render();
    },
  };
};

/** [{name, index, value}] at this x: the latest value of each line, and the dots there. */
const valuesAt = (series, x, isUsable) =>
  series.flatMap(({ name, points, dots, colour }, index) => {
    const point = points.findLast((candidate) => candidate[0] <= x && isUsable(candidate));
    if (!point || (dots && point[0] !== x)) return [];
    return [{ name, index: colour ?? index, value: point[1] }];
  });

/** For screen readers: the last value of each series. */
const fillTable = (table, series, options) => {
  const rows = series.flatMap(({ name, points }) => {
    const last = points.findLast(usable(options));
    return last ? [[name, `epoch ${Number(last[0].toFixed(2))}`, options.format(last[1])]] : [];
  });
  table.replaceChildren(
    element("caption", { textContent: `${options.title}: the last values` }),
    ...rows.map(([name, where, value]) => element("tr", {}, [
      element("th", { scope: "row", textContent: name }),
      element("td", { textContent: where }),
      element("td", { textContent: value }),
    ])),
  );
};

/** A chart without its cursor: SVG elements, and the positions of values. */
const layOut = ({ series, domain, marks, frame = series }, options, width) => {
  const isUsable = usable(options);
  const values = frame.flatMap(({ points }) => points.filter(isUsable).map(([, y]) => y));
  if (!values.length) {
    const text = svgElement("text", { x: width / 2, y: HEIGHT / 2, class: "empty" }, "nothing yet");
    return { parts: [text], xs: [], toX: Number, toY: Number, fromX: Number };
  }
  const scale = chooseScale(options, values);
  const named = series.filter(({ name, points, dots }) => name && !dots && points.some(isUsable));
  const longest = (texts) => Math.max(0, ...texts.map((text) => text.length)) * LETTER;
  const left = longest(scale.ticks.map((tick) => tick.text)) + 8;
  const right = named.length > 1 ? longest(named.map(({ name }) => name)) + 10 : 12;
  const [lowX, highX] = domain;
  const [across, down] = [width - left - right, HEIGHT - TOP - BOTTOM];
  const toX = (x) => left + (across * (x - lowX)) / (highX - lowX || 1);
  const toY = (y) => TOP + down * (1 - scale.at(y));
  const fromX = (pixel) => lowX + ((pixel - left) / across) * (highX - lowX);
  const parts = [];

  let free = Infinity;
  scale.ticks.forEach(({ value, text }) => {
    const y = toY(value);
    if (free - y < 17) return;
    free = y;
    parts.push(svgElement("line", { class: "grid", x1: left, x2: width - right, y1: y, y2: y }));
    const place = { class: "tick", x: left - 6, y: y + 4, "text-anchor": "end" };
    parts.push(svgElement("text", place, text));
  });
  const base = HEIGHT - BOTTOM;
  const axis = { class: "axis", x1: left, x2: width - right, y1: base, y2: base };
  parts.push(svgElement("line", axis));
  roundTicks(lowX, highX, Math.max(2, Math.min(8, across / 60))).forEach((tick) => {
    const x = toX(tick);
    parts.push(svgElement("line", { class: "axis", x1: x, x2: x, y1: base, y2: base + 5 }));
    const place = { class: "tick", x, y: base + 18, "text-anchor": "middle" };
    parts.push(svgElement("text", place, shortNumber(tick)));
  });
  parts.push(svgElement(
    "text", { class: "tick", x: width - right, y: base + 33, "text-anchor": "end" }, "epoch",
  ));

  if (options.guide && scale.at(options.guide.value) >= 0 && scale.at(options.guide.value) <= 1) {
    const y = toY(options.guide.value);
    parts.push(svgElement("line", { class: "guide", x1: left, x2: width - right, y1: y, y2: y }));
    const place = { class: "guide-text", x: left + 4, y: y - 5 };
    parts.push(svgElement("text", place, options.guide.text));
  }
  marks.forEach(({ x, text }) => {
    const at = toX(x);
    parts.push(svgElement("line", { class: "mark", x1: at, x2: at, y1: TOP - 4, y2: base }));
    const anchor = at > width / 2 ? "end" : "start";
    const place = { class: "mark-text", x: at, y: TOP - 8, "text-anchor": anchor };
    parts.push(svgElement("text", place, text));
  });

  const ends = [];
  series.forEach(({ name, points, dots, colour: chosen }, index) => {
    const good = points.filter(isUsable);
    if (!good.length) return;
    const colour = `series-${chosen ?? index}`;
    if (!dots) {
      const d = pathOf(points, toX, toY, isUsable);
      parts.push(svgElement("path", { class: `line ${colour}`, d }));
    }
    const spots = dots ? good : good.slice(-1);
    spots.forEach(([x, y]) => {
      parts.push(svgElement("circle", { class: `dot ${colour}`, cx: toX(x), cy: toY(y), r: 3.5 }));
    });
    if (named.length > 1 && name && !dots) ends.push({ name, colour, point: good.at(-1) });
  });
  const wanted = ends.map(({ point }) => toY(point[1]));
  spreadLabels(wanted, LABEL_GAP, TOP, base).forEach((y, i) => {
    const { name, colour, point } = ends[i];
    const place = { class: `name ${colour}`, x: toX(point[0]) + 8, y: y + 4 };
    parts.push(svgElement("text", place, name));
  });
  const xs = [...new Set(series.flatMap(({ points }) => points.filter(isUsable).map(([x]) => x)))];
  return { parts, xs: xs.sort((a, b) => a - b), toX, toY, fromX };
};
