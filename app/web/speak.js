// The panel "Speak": the text and how it is spoken, Speak and Stop, and the state of playback.

import { button, element, labelled } from "./elements.js";
import { piecesOf } from "./pieces.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./utterance.js").Utterance} Utterance */

const TEXT = "Hello there. You hear this sentence while the next one is still being made. "
  + "Press Escape at any word, and it stops.";
const MAX_CHARS = 10_000;

/**
 * @param {HTMLElement} root
 * @param {Page} page
 */
export function mount(root, page) {
  const fields = new Fields();
  const state = element("p", { id: "state", role: "status" });
  const counts = element("p", { id: "counts", class: "quiet" });
  const speak = button("Speak", async () => {
    if (page.voices.length === 0 && !await page.loadVoices()) return;  // the server was away
    const { text, options, prebufferMs } = page.read();
    if (text.trim() === "") {
      page.tell({ code: "empty_input" });
      return;
    }
    void page.say(fields.isInPieces ? piecesOf(text) : text, options, prebufferMs);
  }, { id: "speak", class: "first" });
  const stop = button("Stop", () => page.stop(), { id: "stop", class: "stop", disabled: true });
  root.append(...fields.rows, element("div", { class: "row" }, speak, stop),
    element("p", { class: "quiet" }, "Control and Enter speak. Escape and the space bar stop."),
    state, counts);
  page.read = () => fields.read();
  page.addEventListener("voices", () => fields.offer(page.voices));
  page.addEventListener("utterance", (event) => {
    const { utterance } = /** @type {CustomEvent} */ (event).detail;
    watch(utterance, { state, counts, stop, page });
  });
  listenToKeys(page, speak, fields.text);
}

class Fields {
  constructor() {
    this.text = element("textarea", { id: "text", maxlength: MAX_CHARS, dir: "auto" });
    this.text.value = TEXT;
    this.voice = element("select", { id: "voice" });
    this.pace = choice("pace", { whole: "At once", pieces: "Word by word, as an LLM writes" });
    this.start = choice("start", { smooth: "When it can go on without a gap", soonest: "Soonest" });
    this.prebuffer = element("input", {
      id: "prebuffer", type: "number", min: 0, max: 10_000, step: 10, placeholder: "as told",
    });
    this.speed = element("input", {
      id: "speed", type: "number", min: 0.25, max: 4, step: 0.05, value: 1,
    });
    this.seed = element("input", { id: "seed", type: "number", min: 0, placeholder: "any" });
    this.rows = [
      labelled("Text", this.text),
      element("div", { class: "row" }, labelled("Voice", this.voice),
        labelled("The text comes", this.pace), labelled("The sound begins", this.start),
        labelled("Wait before playing, ms", this.prebuffer), labelled("Speed", this.speed),
        labelled("Seed", this.seed)),
    ];
  }

  get isInPieces() {
    return this.pace.value === "pieces";
  }

  /**
   * A voice that was chosen stays chosen.
   * @param {{id: string, name: string}[]} voices of the server
   */
  offer(voices) {
    const chosen = this.voice.value;
    this.voice.replaceChildren(...voices.map(({ id, name }) =>
      element("option", { value: id, selected: id === chosen }, name)));
  }

  read() {
    /** @type {import("./client.js").SpeechOptions} */
    const options = { voice: this.voice.value, timestamps: "word" };
    options.start = /** @type {"smooth"|"soonest"} */ (this.start.value);
    if (this.speed.value !== "" && Number(this.speed.value) !== 1) {
      options.speed = Number(this.speed.value);
    }
    if (this.seed.value !== "") options.seed = Number(this.seed.value);
    const prebufferMs = this.prebuffer.value === "" ? null : Number(this.prebuffer.value);
    return { text: this.text.value, options, prebufferMs };
  }
}

/**
 * @param {string} id
 * @param {{[value: string]: string}} names
 */
function choice(id, names) {
  return element("select", { id },
    ...Object.entries(names).map(([value, name]) => element("option", { value }, name)));
}

/**
 * The state is told in a word, for a screen reader; the counts that change all the time are not.
 * @param {Utterance} utterance
 * @param {{state: HTMLElement, counts: HTMLElement, stop: HTMLButtonElement, page: Page}} shown
 */
function watch(utterance, { state, counts, stop, page }) {
  const isShown = () => page.utterance === utterance;
  const on = (/** @type {string} */ kind, /** @type {(detail: any) => void} */ act) =>
    utterance.addEventListener(kind, (event) => {
      if (isShown()) act(/** @type {CustomEvent} */ (event).detail);
      if (isShown()) stop.disabled = !utterance.isLive;
    });
  state.textContent = "Asked.";
  counts.textContent = "";
  stop.disabled = false;
  let isStopped = false;
  on("playing", () => {
    isStopped = false;
    state.textContent = utterance.isReplay ? "Playing again." : "Speaking.";
  });
  on("stopping", () => {
    isStopped = true;
    state.textContent = "Stopping.";
  });
  on("silent", () => { state.textContent = "Silent."; });
  on("acknowledged", () => { state.textContent = "Stopped."; });
  on("drained", () => { if (!isStopped && !hasFailed(utterance)) state.textContent = "Done."; });
  on("end", () => { if (hasFailed(utterance)) state.textContent = "Failed."; });
  on("position", (position) => {
    const seconds = (/** @type {number} */ samples) =>
      `${(samples / utterance.sampleRate).toFixed(1)} s`;
    const { numUnderruns, silentSamples } = position;
    counts.textContent = `${seconds(position.position)} were played, ${seconds(position.buffered)} `
      + `wait. Gaps: ${numUnderruns}${numUnderruns ? `, ${seconds(silentSamples)} in all` : ""}.`;
  });
}

/** @param {Utterance} utterance */
function hasFailed(utterance) {
  return utterance.end?.type === "error";
}

/**
 * @param {Page} page
 * @param {HTMLButtonElement} speak
 * @param {HTMLTextAreaElement} text
 */
function listenToKeys(page, speak, text) {
  let isSpaceTaken = false;
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target === text) {
      speak.click();
    } else if (page.isLive && isStop(event)) {
      event.preventDefault();
      isSpaceTaken = event.key === " ";
      void page.stop();
    }
  });
  document.addEventListener("keyup", (event) => {  // else the space would press Speak again
    if (event.key === " " && isSpaceTaken) event.preventDefault();
    isSpaceTaken = false;
  });
}

/**
 * Whether a key means Stop. In a field the space bar writes, and on another button it presses. On the
 * buttons that began what speaks it stops.
 * @param {KeyboardEvent} event
 */
function isStop(event) {
  if (event.key === "Escape") return true;
  if (event.key !== " " || !(event.target instanceof Element)) return false;
  return event.target.matches("#speak, #talk")
    || event.target.closest("textarea, input, select, button, summary, a") === null;
}
