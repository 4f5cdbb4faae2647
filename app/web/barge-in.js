// The panel "Barge in again and again": speaks and interrupts many times, and shows how long the
// acknowledgement and the silence took.

import { histogram, quantile } from "./charts.js";
import { button, element, factTable, labelled } from "./elements.js";
import { listen } from "./events.js";
import { SpeechError } from "./speech-error.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {{silenceMs: number, ackMs: number, stopMs: number}} Interruption from the press on */

const MAX_TIMES = 100;
const HEARD_AT_MOST_MS = 500;  // of each, before it is interrupted
const SOUND_WITHIN_MS = 30_000;
const TEXT = "This answer is long, and its listener does not want to hear all of it. ".repeat(8);

/**
 * @param {HTMLElement} root
 * @param {Page} page
 */
export function mount(root, page) {
  const panel = new BargeIn(page);
  root.append(
    element("p", { class: "quiet" }, "Speaks a long text, interrupts it at a random moment of its "
      + "first half second, and does it again. The time runs from the press of Stop."),
    element("div", { class: "row" }, labelled("Times", panel.times), panel.start),
    panel.progress, panel.state, panel.results);
}

class BargeIn {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.isRunning = false;
    this.times = element("input", { type: "number", min: 1, max: MAX_TIMES, value: MAX_TIMES });
    this.start = button("Start", () => this.startOrStop(), { class: "first" });
    this.progress = element("progress", { max: 1, value: 0, hidden: true,
      "aria-label": "Interruptions" });
    this.state = element("p", { role: "status" });
    this.results = element("div", { class: "histograms" });
  }

  async startOrStop() {
    if (this.isRunning) {
      this.isRunning = false;  // the loop ends after the interruption that runs
      return;
    }
    const num = Math.max(1, Math.min(MAX_TIMES, Math.round(Number(this.times.value)) || 1));
    this.isRunning = true;
    this.start.textContent = "End";
    this.progress.max = num;
    this.progress.value = 0;
    this.progress.hidden = false;
    this.state.textContent = "";
    try {
      const measured = await this.run(num);
      this.state.textContent = `${measured.length} interruptions were measured.`;
    } catch (error) {
      if (!(error instanceof SpeechError)) throw error;
      this.state.textContent = "An interruption failed, so the rest was left out.";
      this.page.tell(error);
    } finally {
      this.isRunning = false;
      this.start.textContent = "Start";
      this.progress.hidden = true;
    }
  }

  /** @param {number} num */
  async run(num) {
    /** @type {Interruption[]} */
    const measured = [];
    while (this.isRunning && measured.length < num) {
      const interruption = await this.interruptOnce();
      if (interruption === null) break;
      measured.push(interruption);
      this.progress.value = measured.length;
      this.show(measured);
    }
    return measured;
  }

  /** @returns {Promise<Interruption|null>} null where the user has stopped the sound */
  async interruptOnce() {
    const { options } = this.page.read();
    const utterance = await this.page.say(TEXT, options, 0);
    await playing(utterance);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * HEARD_AT_MOST_MS));
    if (utterance.isStopped) return null;
    await utterance.stop();
    const { acknowledgement } = utterance;
    const { stopAsked, silent, acknowledged } = utterance.times;
    if (!acknowledgement || stopAsked === null || silent === null || acknowledged === null) {
      throw new SpeechError("connection_lost", "the cancel was not acknowledged");
    }
    return {
      silenceMs: silent - stopAsked,
      ackMs: acknowledged - stopAsked,
      stopMs: acknowledgement.stop_ms,
    };
  }

  /** @param {Interruption[]} measured */
  show(measured) {
    /** @type {[string, number[]][]} */
    const legs = [
      ["Silence in the page", measured.map((each) => each.silenceMs)],
      ["Acknowledgement at the page", measured.map((each) => each.ackMs)],
      ["Stop in the server", measured.map((each) => each.stopMs)],
    ];
    const told = (/** @type {number} */ value) => `${value.toFixed(1)} ms`;
    this.results.replaceChildren(
      factTable("Half, and 95 of 100, were faster than", legs.map(([name, values]) =>
        [name, `${told(quantile(values, 0.5))}, ${told(quantile(values, 0.95))}`])),
      ...legs.map(([name, values]) => histogram(name, values)));
  }
}

/**
 * Resolves once the first sound plays, or the user has stopped. Rejects where the speech failed.
 * @param {import("./utterance.js").Utterance} utterance
 * @returns {Promise<void>}
 */
function playing(utterance) {
  if (utterance.times.firstSample !== null) return Promise.resolve();
  const listening = new AbortController();
  /** @type {Promise<void>} */
  const played = new Promise((resolve, reject) => {
    const fail = () => reject(utterance.end?.error
      ?? new SpeechError("connection_lost", "no sound came in time"));
    listen(utterance, "playing", () => resolve(), listening);
    listen(utterance, "drained", () => (utterance.isStopped ? resolve() : fail()), listening);
    setTimeout(fail, SOUND_WITHIN_MS);
  });
  return played.finally(() => listening.abort());
}
