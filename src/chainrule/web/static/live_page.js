// The live view: shows a run's events as they arrive and sends commands; or replays a run.

import { onColoursChange } from "./canvas.js";
import { shortNumber } from "./scales.js";
import { curvesOf, emptyRun, isPaused, positionOf, takeIn } from "./live_run.js";
import { at, say, showRun } from "./live_views.js";
import { showOutcome } from "./live_outcome.js";

const SMALLEST_RATE = 1e-12;
const LARGEST_RATE = 1e12;
const SHORTEST_REPLAY = 8;
const LONGEST_REPLAY = 30;

/** Sends a command to the run; shows the reason if it is refused. */
const sendOrder = async (order) => {
  try {
    const answer = await fetch("control", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(order),
    });
    if (!answer.ok) say((await answer.json()).error, true);
  } catch {
    say("The run does not answer: it may have ended.", true);
  }
};

const connectButtons = (current) => {
  const setRate = () => {
    const rate = Number(at("rate").value.replace(",", "."));
    if (rate >= SMALLEST_RATE && rate <= LARGEST_RATE) sendOrder({ action: "rate", rate });
    else say("Give a learning rate above 0, such as 0.001.", true);
  };
  at("pause").addEventListener("click", () =>
    sendOrder({ action: isPaused(current()) ? "resume" : "pause" }));
  at("stop").addEventListener("click", () => sendOrder({ action: "stop" }));
  at("rate-set").addEventListener("click", setRate);
  at("rate").addEventListener("keydown", (event) => {
    if (event.key === "Enter") setRate();
  });
  at("rate-half").addEventListener("click", () => sendOrder({ action: "rate", factor: 0.5 }));
  at("rate-double").addEventListener("click", () => sendOrder({ action: "rate", factor: 2 }));
};

const showSteering = (run) => {
  const paused = isPaused(run);
  at("pause").textContent = paused ? "Go on" : "Pause";
  at("pause").setAttribute("aria-pressed", String(paused));
  at("steering").querySelectorAll("button, input").forEach((control) => {
    control.disabled = !run.begin || Boolean(run.end);
  });
  if (document.activeElement !== at("rate")) {
    at("rate").placeholder = shortNumber(run.observations.at(-1)?.learning_rate ?? 0);
  }
  const last = [...run.byHand, run.refused, run.end].filter(Boolean)
    .reduce((latest, event) => (!latest || event.step >= latest.step ? event : latest), null);
  if (!last) say(run.begin ? "Training." : "");
  else if (last.kind === "end") say(`The run has ended: ${last.ending}. ${last.text}.`);
  else {
    const where = `${paused ? "Paused. " : ""}Step ${last.step.toLocaleString("en-US")}`;
    say(`${where}: ${last.text}.`, last.kind === "refused");
  }
};

/** Shows the run that the server trains, as its events arrive. */
const watchLive = () => {
  let run = emptyRun();
  let waiting = false;
  at("steering").hidden = false;
  connectButtons(() => run);
  const refresh = () => {
    waiting = false;
    showRun(run, [0, Math.max(positionOf(run), 1e-3)]);
    showSteering(run);
  };
  const refreshSoon = () => {
    if (!waiting) requestAnimationFrame(refresh);
    waiting = true;
  };
  const source = new EventSource("events");
  source.addEventListener("message", ({ data }) => {
    run = takeIn(run, JSON.parse(data));
    if (run.end) source.close();
    refreshSoon();
  });
  source.addEventListener("error", () => {
    if (!run.end) say("The run does not answer; looking for it again …", true);
  });
  onColoursChange(refreshSoon);
  refresh();
};

/** Replays a finished run: shows it as of any moment. */
const replay = ({ events, ...outcome }) => {
  const moments = events.flatMap(({ kind }, i) =>
    (kind === "observation" || kind === "epoch" ? [i] : []));
  const whole = events.reduce(takeIn, emptyRun());
  const domain = [0, Math.max(positionOf(whole), 1)];
  const frames = curvesOf(whole);
  const title = `How ${whole.begin?.run ?? "it"} learned`;
  document.title = `chainrule: ${title}`;
  at("live-title").textContent = title;
  at("replay").hidden = moments.length < 2;
  at("position").max = moments.length - 1;
  at("position").value = moments.length - 1;
  let started = null;

  const showMoment = () => {
    const moment = Number(at("position").value);
    const isLast = moment >= moments.length - 1;
    const run = isLast
      ? whole : events.slice(0, moments[moment] + 1).reduce(takeIn, emptyRun());
    showRun(run, domain, frames);
    const text = `epoch ${positionOf(run).toFixed(2)}`;
    at("position-text").textContent = text;
    at("position").setAttribute("aria-valuetext", text);
  };
  const pause = () => {
    started = null;
    at("play").textContent = "Play";
  };
  const seconds = Math.min(Math.max(moments.length / 10, SHORTEST_REPLAY), LONGEST_REPLAY);
  const advance = (now) => {
    if (!started) return;
    const share = started.share + (now - started.time) / 1000 / seconds;
    const moment = Math.min(Math.floor(share * moments.length), moments.length - 1);
    if (moment !== Number(at("position").value)) {
      at("position").value = moment;
      showMoment();
    }
    if (moment >= moments.length - 1) pause();
    else requestAnimationFrame(advance);
  };
  at("play").addEventListener("click", () => {
    if (started) return pause();
    const here = Number(at("position").value);
    const share = here >= moments.length - 1 ? 0 : here / moments.length;
    started = { share, time: performance.now() };
    at("play").textContent = "Pause";
    return requestAnimationFrame(advance);
  });
  at("position").addEventListener("input", () => {
    pause();
    showMoment();
  });
  if (whole.end) say(`The run ended: ${whole.end.ending}. ${whole.end.text}.`);
  showMoment();
  showOutcome(outcome, whole);
  onColoursChange(showMoment);
};

const embedded = at("embedded");
if (embedded) replay(JSON.parse(embedded.textContent));
else watchLive();
