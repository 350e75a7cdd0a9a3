// Photos instead of drawings: decoding, finding and boxing the digits, selecting one of them.

import { seenBy } from "./preprocess.js";
import { element, paint } from "./canvas.js";

const LARGEST_SIDE = 1600;
/** Pixels of the sheet between a digit and its box. */
const AIR = 2;
const TYPES = ["image/png", "image/jpeg"];

/** Decodes a picture file, upright; throws an Error with a sentence for the user. */
const decodePhoto = async (file) => {
  if (!TYPES.includes(file.type)) {
    throw new Error(`${file.name} is no PNG or JPEG picture; save it as one.`);
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} cannot be read as a picture; save it again.`);
  }
  const factor = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = element("canvas", {
    width: Math.max(1, Math.round(bitmap.width * factor)),
    height: Math.max(1, Math.round(bitmap.height * factor)),
  });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
};

/**
 * Reads a picture file for a model: {canvas, digits, notes}, as seenBy() returns them.
 * Throws an Error that says what is wrong, also if there is no digit.
 */
export const readPhoto = async (file, model) => {
  const canvas = await decodePhoto(file);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  return { canvas, ...seenBy(image, model.form, model.readsDigits) };
};

/** Placement of a whole photo on the sheet: {factor, left, top}. */
const placeOnSheet = (sheet, { canvas }) => {
  const factor = Math.min(sheet.width / canvas.width, sheet.height / canvas.height);
  return {
    factor,
    left: (sheet.width - canvas.width * factor) / 2,
    top: (sheet.height - canvas.height * factor) / 2,
  };
};

/** A digit's box on the sheet, with a margin: [left, top, width, height]. */
const boxOn = ({ factor, left, top }, digit) => [
  left + digit.column * factor - AIR,
  top + digit.row * factor - AIR,
  digit.width * factor + 2 * AIR,
  digit.height * factor + 2 * AIR,
];

/** Draws the whole photo on the sheet, with a box around each digit, the chosen one stronger. */
export const showPhoto = (sheet, photo, chosen) => {
  const context = sheet.getContext("2d");
  const layout = placeOnSheet(sheet, photo);
  const { width, height } = photo.canvas;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.drawImage(
    photo.canvas, layout.left, layout.top, width * layout.factor, height * layout.factor,
  );
  photo.digits.forEach((digit, i) => {
    context.strokeStyle = i === chosen ? "#c2540a" : "#0b5cad";
    context.lineWidth = i === chosen ? 3 : 1.5;
    context.strokeRect(...boxOn(layout, digit));
  });
};

/** The index of the digit whose box contains a point of the sheet, or -1. */
export const digitAt = (sheet, photo, x, y) => {
  const layout = placeOnSheet(sheet, photo);
  return photo.digits.findIndex((digit) => {
    const [left, top, width, height] = boxOn(layout, digit);
    return x >= left && x <= left + width && y >= top && y <= top + height;
  });
};

/**
 * Lists the digits of a photo as buttons: each one's network input and prediction.
 * picture: {inputs, columns, scale} as paint() takes them.
 */
export const listDigits = (place, { inputs, columns, scale }, labels, chosen, onChoose) => {
  place.replaceChildren(
    ...inputs.map((values, i) => {
      const canvas = element("canvas", { className: "pixels" });
      paint(canvas, values, columns, scale);
      const button = element("button", { type: "button" }, [
        canvas, element("span", { textContent: labels[i] }),
      ]);
      button.setAttribute("aria-pressed", String(i === chosen));
      button.setAttribute("aria-label", `Digit ${i + 1} of the photo: ${labels[i]}`);
      button.addEventListener("click", () => onChoose(i));
      return button;
    }),
  );
};
