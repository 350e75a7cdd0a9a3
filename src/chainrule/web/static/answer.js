// The prediction: the class in large type, and a probability bar for each class.

import { element } from "./canvas.js";

const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** The index of the largest value (argmax). */
export const argmax = (values) =>
  values.reduce((best, value, i) => (value > values[best] ? i : best), 0);

/**
 * Fills `list` with a bar for each class; pressing one calls onChoose(class index).
 * Returns {show(probabilities or null, chosen class)}.
 */
export const makeBars = (list, classes, onChoose) => {
  const bars = classes.map((name, k) => {
    const fill = element("span", { className: "fill" });
    const amount = element("span", { className: "percent" });
    const button = element("button", { type: "button", className: "bar" }, [
      element("span", { textContent: name }),
      element("span", { className: "track" }, [fill]),
      amount,
    ]);
    button.addEventListener("click", () => onChoose(k));
    list.append(element("li", {}, [button]));
    return { button, fill, amount };
  });
  return {
    show: (probabilities, chosen) => {
      const best = probabilities ? argmax(probabilities) : -1;
      bars.forEach(({ button, fill, amount }, k) => {
        const share = probabilities ? probabilities[k] : 0;
        fill.style.width = percent(share).replace(" ", "");
        amount.textContent = probabilities ? percent(share) : "–";
        button.classList.toggle("best", k === best);
        button.setAttribute("aria-pressed", String(k === chosen));
      });
    },
  };
};

/** Writes the prediction: a class, "not sure" below the threshold (0..1), or a hint. */
export const showAnswer = (place, probabilities, classes, threshold, hint) => {
  if (!probabilities) {
    place.replaceChildren(element("span", { className: "muted", textContent: hint }));
    return;
  }
  const best = argmax(probabilities);
  const share = probabilities[best];
  place.replaceChildren(
    ...(share < threshold
      ? [
          element("strong", { className: "unsure", textContent: "?" }),
          element("span", {
            textContent: `not sure: perhaps ${classes[best]}, ${percent(share)}`,
          }),
        ]
      : [
          element("strong", { textContent: classes[best] }),
          element("span", { className: "muted", textContent: percent(share) }),
        ]),
  );
};
