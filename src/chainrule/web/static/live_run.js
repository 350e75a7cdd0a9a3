// State of a run after some of its events: figures, curves, pictures. No DOM here.

const MOST_OBSERVATIONS = 2000;

/** A run before its first event. */
export const emptyRun = () => ({
  begin: null, observations: [], epochs: [], byHand: [], images: new Map(), weights: null,
  refused: null, end: null,
});

/** Thins out observations evenly to half of this number, plus the latest, for the charts. */
const thinned = (observations) => {
  const steps = observations.at(-1).step - observations[0].step;
  const gap = steps / (MOST_OBSERVATIONS / 2);
  let next = -Infinity;
  return observations.filter(({ step }, i) => {
    if (step < next && i < observations.length - 1) return false;
    next = step + gap;
    return true;
  });
};

const keepObservation = (run, event) => {
  run.observations.push(event);
  if (run.observations.length > MOST_OBSERVATIONS) run.observations = thinned(run.observations);
};

const KEEPERS = {
  begin: (run, event) => Object.assign(run, emptyRun(), { begin: event }),
  observation: keepObservation,
  epoch: (run, event) => run.epochs.push(event),
  by_hand: (run, event) => run.byHand.push(event),
  image: (run, event) => run.images.set(event.index, event.pixels),
  weights: (run, event) => Object.assign(run, { weights: event }),
  refused: (run, event) => Object.assign(run, { refused: event }),
  end: (run, event) => Object.assign(run, { end: event }),
};

/** Applies one event; ignores unknown kinds. Returns the run. */
export const takeIn = (run, event) => {
  const keep = Object.hasOwn(KEEPERS, event.kind) ? KEEPERS[event.kind] : null;
  if (keep) keep(run, event);
  return run;
};

/** Bytes of base64 text. */
export const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** True if training is paused. */
export const isPaused = (run) => {
  const last = run.byHand.findLast(({ action }) => action === "pause" || action === "resume");
  return Boolean(last) && last.action === "pause" && !run.end;
};

/** Progress of the run in epochs, with their fractions. */
export const positionOf = (run) =>
  Math.max(0, ...[run.observations, run.epochs, run.byHand].map((all) => all.at(-1)?.epoch ?? 0));

/** 75 -> "1 min 15 s". */
export const duration = (seconds) => {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${Number(seconds.toFixed(1))} s`;
};

const curve = (name, events, value, more = {}) => ({
  name, points: events.map((event) => [event.epoch, value(event) ?? null]), ...more,
});

const differs = ({ loss, objective }) => objective !== undefined && objective !== loss;

/** What is minimised, with label smoothing and penalties, where that is not the training loss. */
const objectiveCurve = ({ epochs }) =>
  epochs.some(differs)
    ? [curve("objective", epochs, (epoch) => epoch.objective, { colour: 5 })]
    : [];

const measuredCurves = (run, part, ofEpoch) => {
  const { observations, epochs } = run;
  const held = observations.some((seen) => seen.validation);
  const validated = epochs.some((epoch) => epoch.validation_loss !== null);
  if (!observations.length) {
    return [
      ...(part === 0 ? [curve("training", epochs, (epoch) => epoch.loss)] : []),
      ...(validated ? [curve("validation", epochs, ofEpoch, { colour: 1 })] : []),
    ];
  }
  return [
    curve("training", observations, (seen) => seen.training[part]),
    ...(held
      ? [curve("validation", observations, (seen) => seen.validation?.[part], { colour: 1 })]
      : []),
    ...(validated ? [curve("all validation", epochs, ofEpoch, { dots: true, colour: 1 })] : []),
  ];
};

/** The name of a layer in the curves: "layer 1", ..., "outputs". */
export const layerName = (index, count) => (index === count - 1 ? "outputs" : `layer ${index + 1}`);

const layerCurves = (run, part) => {
  const count = run.observations.at(-1)?.layers.length ?? 0;
  return Array.from({ length: count }, (_, i) =>
    curve(layerName(i, count), run.observations, (seen) => seen.layers[i]?.[part]),
  ).filter(({ points }) => points.some(([, value]) => value !== null));
};

/** The series of each chart, {loss, accuracy, rate, ratio, stuck}: lists as charts take them. */
export const curvesOf = (run) => ({
  loss: [
    ...measuredCurves(run, 0, (epoch) => epoch.validation_loss), ...objectiveCurve(run),
  ],
  accuracy: measuredCurves(run, 1, (epoch) => epoch.validation_accuracy),
  rate: [
    run.observations.length
      ? curve("learning rate", run.observations, (seen) => seen.learning_rate)
      : curve("learning rate", run.epochs, (epoch) => epoch.learning_rate),
  ],
  ratio: layerCurves(run, 0),
  stuck: layerCurves(run, 1),
});

/** Chart marks of manual changes: [{x, text}]. */
export const marksOf = (run) =>
  run.byHand.filter(({ action }) => action === "rate").map(({ epoch, factor }) => ({
    x: epoch, text: `rate × ${Number(factor.toPrecision(3))}`,
  }));
