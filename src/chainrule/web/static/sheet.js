// The sheet to draw on: strokes by mouse, finger, pen or keys, with undo.

import { element } from "./canvas.js";

const SIDE = 280;
/** Side of the image passed to preprocess.js: five times the network's, and fast to process. */
const LOOK = 140;
const STEP = 8;

const wipe = (context) => {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
};

const line = (context, { brush, points }) => {
  context.lineCap = "round";
  context.lineJoin = "round";
  context.strokeStyle = "#000";
  context.lineWidth = brush;
  context.beginPath();
  const [[x, y], ...rest] = points;
  context.moveTo(x, y);
  context.lineTo(x, y);
  rest.forEach(([nextX, nextY]) => context.lineTo(nextX, nextY));
  context.stroke();
};

/**
 * Makes a canvas a sheet of SIDE x SIDE on which people draw, dark on light.
 * onChange is called after each change; isTaken(x, y), called before a stroke begins, is true if
 * something else there takes the touch.
 * Returns {undo, clear, setBrush, forget, isEmpty, image}.
 */
export const makeSheet = (canvas, onChange, isTaken) => {
  canvas.width = SIDE;
  canvas.height = SIDE;
  const context = canvas.getContext("2d");
  const small = element("canvas", { width: LOOK, height: LOOK });
  const look = small.getContext("2d", { willReadFrequently: true });
  const strokes = [];
  const pen = { x: SIDE / 2, y: SIDE / 2, down: false, shown: false };
  let brush = 18;
  let drawing = null;

  const redraw = () => {
    wipe(context);
    strokes.forEach((stroke) => line(context, stroke));
    onChange();
  };

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * SIDE) / box.width,
      ((event.clientY - box.top) * SIDE) / box.height,
    ];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (drawing || event.button > 0) return;
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    if (isTaken(...place(event))) return;
    canvas.setPointerCapture(event.pointerId);
    drawing = event.pointerId;
    pen.shown = false;
    strokes.push({ brush, points: [place(event)] });
    redraw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== drawing) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    strokes.at(-1).points.push(...(passed.length ? passed : [event]).map(place));
    line(context, strokes.at(-1));
    onChange();
  });
  const lift = (event) => {
    if (event.pointerId === drawing) drawing = null;
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);

  const undo = () => {
    strokes.pop();
    pen.down = false;
    redraw();
  };
  const clear = () => {
    strokes.length = 0;
    pen.down = false;
    redraw();
  };

  const cross = () => {
    context.fillStyle = pen.down ? "#0b5cad" : "#c2540a";
    context.fillRect(pen.x - 6, pen.y - 1, 12, 2);
    context.fillRect(pen.x - 1, pen.y - 6, 2, 12);
  };
  const directions = {
    ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP],
  };
  canvas.addEventListener("keydown", (event) => {
    const direction = directions[event.key];
    if (direction) {
      pen.x = Math.min(Math.max(pen.x + direction[0], 0), SIDE);
      pen.y = Math.min(Math.max(pen.y + direction[1], 0), SIDE);
      if (pen.down) strokes.at(-1).points.push([pen.x, pen.y]);
    } else if (event.key === " " || event.key === "Enter") {
      pen.down = !pen.down;
      if (pen.down) strokes.push({ brush, points: [[pen.x, pen.y]] });
    } else {
      return;
    }
    event.preventDefault();
    pen.shown = true;
    redraw();
    cross();
  });
  canvas.addEventListener("blur", () => {
    pen.down = false;
    if (pen.shown) redraw();
    pen.shown = false;
  });

  wipe(context);
  return {
    undo,
    clear,
    setBrush: (width) => {
      brush = width;
    },
    /** Discards the strokes, so that something else can be shown. */
    forget: () => {
      strokes.length = 0;
      pen.down = false;
      pen.shown = false;
    },
    isEmpty: () => strokes.length === 0,
    /** The drawing in the form that preprocess.js takes: RGBA, LOOK x LOOK. */
    image: () => {
      look.setTransform(LOOK / SIDE, 0, 0, LOOK / SIDE, 0, 0);
      wipe(look);
      strokes.forEach((stroke) => line(look, stroke));
      return look.getImageData(0, 0, LOOK, LOOK);
    },
  };
};
