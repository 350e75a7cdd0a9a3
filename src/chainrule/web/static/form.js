// Which pictures have the form of the training images: digits/form.py in a browser.

import { median, outline } from "./background.js";
import { LEAST_CONTRAST } from "./ink.js";
import { boxOf, byBox, centreOfMass } from "./frame.js";

const EXACT = 1 / 512;
const SLACK = 2;

/**
 * What keeps pixels 0..1 of the training images' size from having their form; empty if nothing.
 * @returns {"" | "inverted" | "blank" | "framed otherwise"}
 */
export function departure(pixels, form) {
  if (form.background === null) return "";
  const { width, height } = form;
  const edge = median(Float64Array.from(outline(width, height), (pixel) => pixels[pixel]));
  const aside = (brightness) => Math.abs(edge - brightness);
  if (form.one_polarity && aside(form.ink) < aside(form.background)) return "inverted";
  const sign = form.ink > form.background ? 1 : -1;
  const contrast = Math.abs(form.ink - form.background);
  const least = contrast < LEAST_CONTRAST ? EXACT : LEAST_CONTRAST;
  const amount = Float64Array.from(pixels, (pixel) => sign * (pixel - form.background));
  const most = amount.reduce((one, other) => Math.max(one, other), -1);
  if (most < Math.min(LEAST_CONTRAST, contrast / 2)) return form.blank ? "" : "blank";
  const [top, left, bottom, right] = boxOf(amount, width, height, least);
  const box = { width: right - left, height: bottom - top };
  const place = form.centring === "mass"
    ? centreOfMass({ width, height, values: amount.map((ink) => (ink > least ? ink : 0)) })
    : [top, left];
  const usual = form.centring === "mass" ? form.centre : byBox(box, form);
  const slack = Math.max(SLACK, Math.floor((SLACK * Math.max(width, height)) / 28));
  const longer = Math.max(box.width, box.height);
  const off = Math.max(...place.map((at, axis) => Math.abs(at - usual[axis])));
  const fits = longer >= form.box[0] - slack && longer <= form.box[2] + slack;
  return fits && off <= form.spread + slack ? "" : "framed otherwise";
}
