// The panel "Stopped": what the server says of the newest stop, and how soon the page was silent.

import { element, factTable } from "./elements.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./utterance.js").Utterance} Utterance */

const STATES = {
  stopped: "The engines have stopped.",
  stopping: "The engines are told, and have not confirmed yet.",
  already_done: "The server had sent everything. What waited in the page was dropped.",
  unknown: "The server knows nothing of this speech.",
};

/**
 * @param {HTMLElement} root
 * @param {Page} page
 */
export function mount(root, page) {
  const shown = element("div");
  root.append(shown);
  page.addEventListener("utterance", (event) => {
    const { utterance } = /** @type {CustomEvent} */ (event).detail;
    root.hidden = true;
    utterance.addEventListener("acknowledged", () => {
      if (page.utterance !== utterance) return;
      shown.replaceChildren(...told(utterance));
      root.hidden = false;
    });
  });
}

/** @param {Utterance} utterance */
function told({ acknowledgement, times }) {
  if (acknowledgement === null || times.stopAsked === null) return [];
  const { state, heard } = acknowledgement;
  const since = (/** @type {number|null} */ at) =>
    at === null ? "–" : `${(at - (times.stopAsked ?? 0)).toFixed(1)} ms`;
  const rows = [
    ["Silence in the page after", since(times.silent)],
    ["Acknowledged after", since(times.acknowledged)],
    ["The server stopped within", `${acknowledgement.stop_ms.toFixed(1)} ms`],
    ["Sound sent", `${(acknowledgement.audio_sent_ms / 1e3).toFixed(2)} s`],
    ["Speech tokens made", String(acknowledgement.tokens_generated)],
    ["Speech tokens made in vain",
      state === "stopping" ? "not known yet" : String(acknowledgement.tokens_discarded)],
    ["Sound heard", heard === null ? "–" : `${(heard.audio_ms / 1e3).toFixed(2)} s`],
    ["Words heard", heard === null ? "–" : heard.text || "none"],
  ];
  return [element("p", {}, STATES[state]), factTable("What was stopped", rows)];
}
