// The panel "Words": the text as it is heard. The word that sounds is marked, and a click on a word
// plays what is kept from there.

import { element } from "./elements.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./utterance.js").Utterance} Utterance */
/** @typedef {import("./utterance.js").Word} Word */

/**
 * @param {HTMLElement} root
 * @param {Page} page
 */
export function mount(root, page) {
  const shown = element("p", { class: "words", dir: "auto" });
  root.append(element("p", { class: "quiet" }, "Press a word to hear it again."), shown);
  page.addEventListener("utterance", (event) => {
    const { utterance } = /** @type {CustomEvent} */ (event).detail;
    new HeardText(page, utterance, shown).follow();
  });
}

class HeardText {
  /** @type {Map<number, HTMLButtonElement>} by `char_start` */
  #buttons = new Map();
  /** @type {HTMLElement|null} */
  #current = null;
  #isFollowing = false;

  /**
   * @param {Page} page
   * @param {Utterance} utterance
   * @param {HTMLElement} shown
   */
  constructor(page, utterance, shown) {
    this.page = page;
    this.utterance = utterance;
    this.shown = shown;
  }

  follow() {
    this.shown.replaceChildren();
    this.utterance.addEventListener("words", () => this.draw());
    for (const kind of ["end", "acknowledged"]) {
      this.utterance.addEventListener(kind, () => this.draw());
    }
    this.utterance.addEventListener("playing", () => this.run());
    this.utterance.addEventListener("drained", () => this.mark());
  }

  get isShown() {
    return this.page.utterance === this.utterance;
  }

  /** The text with a button for each word. What is not spoken stays text. */
  draw() {
    if (!this.isShown) return;
    const chars = [...this.utterance.text];  // places are code points
    const words = [...this.utterance.words.values()].sort((a, b) => a.char_start - b.char_start);
    const parts = [];
    let at = 0;
    for (const word of words) {
      parts.push(chars.slice(at, word.char_start).join(""), this.buttonOf(word));
      at = word.char_end;
    }
    parts.push(chars.slice(at).join(""));
    this.shown.replaceChildren(...parts);
    this.mark();
  }

  /** @param {Word} word */
  buttonOf(word) {
    const known = this.#buttons.get(word.char_start);
    if (known !== undefined) return known;
    const made = element("button", { type: "button", class: "word", "data-at": word.char_start },
      word.text);
    made.addEventListener("click", () =>
      this.page.seek(this.utterance.words.get(word.char_start)?.start_ms ?? word.start_ms));
    this.#buttons.set(word.char_start, made);
    return made;
  }

  run() {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    const step = () => {
      this.#isFollowing = this.isShown && this.utterance.isLive;
      if (!this.#isFollowing) return;
      this.mark();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  /** Marks the word that is heard now, and those before it. */
  mark() {
    if (!this.isShown) return;
    const { heardPosition } = this.page.player;
    const heardMs = heardPosition * 1e3 / this.utterance.sampleRate;
    const isOver = !this.utterance.isLive;
    let current = null;
    for (const word of this.utterance.words.values()) {
      const made = this.#buttons.get(word.char_start);
      const isHeard = word.start_ms <= heardMs;
      made?.classList.toggle("heard", isHeard);
      if (isHeard && !isOver && (word.end_ms === null || heardMs < word.end_ms)) {
        current = made ?? null;
      }
    }
    if (current === this.#current) return;
    this.#current?.removeAttribute("aria-current");
    current?.setAttribute("aria-current", "true");
    this.#current = current;
  }
}
