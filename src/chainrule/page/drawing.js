// The sheet to draw on: strokes by mouse, finger, pen or keys, with undo.

const SIDE = 280;
const STEP = 8;

/**
 * Makes a canvas a sheet of SIDE x SIDE on which people draw, dark on light.
 * onChange is called after each change of what is on it.
 * Returns {undo, clear, setBrush, forget, isEmpty, image}.
 */
export const makeSheet = (canvas, onChange) => {
  canvas.width = SIDE;
  canvas.height = SIDE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const strokes = [];
  const pen = { x: SIDE / 2, y: SIDE / 2, down: false, shown: false };
  let brush = 18;
  let drawing = null;

  const line = (stroke) => {
    context.lineCap = "round";
    context.lineJoin = "round";
    context.strokeStyle = "#000";
    context.lineWidth = stroke.brush;
    context.beginPath();
    const [[x, y], ...rest] = stroke.points;
    context.moveTo(x, y);
    context.lineTo(x, y);
    rest.forEach(([nextX, nextY]) => context.lineTo(nextX, nextY));
    context.stroke();
  };

  const paper = () => {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, SIDE, SIDE);
  };

  const redraw = () => {
    paper();
    strokes.forEach(line);
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
    line(strokes.at(-1));
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

  paper();
  return {
    undo,
    clear,
    setBrush: (width) => {
      brush = width;
    },
    /** Forgets the strokes, for something else to be shown here. */
    forget: () => {
      strokes.length = 0;
      pen.down = false;
      pen.shown = false;
    },
    isEmpty: () => strokes.length === 0,
    /** What is drawn, as digits.js takes it: RGBA, without the keyboard's cross. */
    image: () => {
      if (!pen.shown) return context.getImageData(0, 0, SIDE, SIDE);
      paper();
      strokes.forEach(line);
      const image = context.getImageData(0, 0, SIDE, SIDE);
      cross();
      return image;
    },
  };
};
