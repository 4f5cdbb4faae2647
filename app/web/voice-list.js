// The voices that the caller may use, each with its preview, and the choice of the form above.

import { button, element } from "./elements.js";
import { SpeechError } from "./speech-error.js";

/** @typedef {import("./page.js").Voice} Voice */

const URL_OF_VOICES = "v1/audio/voices";

export class VoiceList {
  /**
   * @param {import("./page.js").Page} page
   * @param {HTMLSelectElement} choice of the form
   */
  constructor(page, choice) {
    this.page = page;
    this.choice = choice;
    this.list = element("ul", { class: "voices" });
    this.state = element("p", { class: "quiet", role: "status" });
    this.player = new Audio();
    this.player.addEventListener("ended", () => this.silence());
    /** @type {HTMLButtonElement|null} */
    this.playing = null;
  }

  show() {
    this.silence();
    this.list.replaceChildren(...this.page.voices.map((voice) => this.row(voice)));
    this.mark();
  }

  /** Shows which voice is chosen. */
  mark() {
    for (const use of this.list.querySelectorAll(".use")) {
      const isChosen = use.getAttribute("data-voice") === this.choice.value;
      use.setAttribute("aria-pressed", String(isChosen));
    }
  }

  /** @param {Voice} voice */
  row(voice) {
    const name = element("span", { class: "name", dir: "auto" }, voice.name);
    const use = button("Use", () => this.use(voice.id), { class: "use", "data-voice": voice.id,
      "aria-pressed": "false", "aria-label": `Use ${voice.name}` });
    const preview = button("Preview", () => this.preview(voice, preview),
      { "aria-label": `Preview of ${voice.name}` });
    const item = element("li", {}, name, use, preview);
    if (voice.category === "cloned") item.append(this.remover(voice));
    return item;
  }

  /**
   * A deleted voice cannot be brought back: the first press asks, the second one deletes.
   * @param {Voice} voice
   */
  remover(voice) {
    let isAsked = false;
    const told = `Delete ${voice.name}`;
    const remove = button("Delete", () => {
      if (isAsked) {
        this.remove(voice);
        return;
      }
      isAsked = true;
      remove.textContent = "Delete for good";
      remove.setAttribute("aria-label", `${told} for good`);
    }, { class: "stop", "aria-label": told });
    remove.addEventListener("blur", () => {
      isAsked = false;
      remove.textContent = "Delete";
      remove.setAttribute("aria-label", told);
    });
    return remove;
  }

  /** @param {string} id */
  use(id) {
    this.choice.value = id;
    this.choice.dispatchEvent(new Event("change", { bubbles: true }));
  }

  /** @param {Voice} voice */
  async remove(voice) {
    await this.told(async () => {
      await this.page.client.fetch(`${URL_OF_VOICES}/${voice.id}`, { method: "DELETE" });
      await this.page.loadVoices();
      this.state.textContent = `${voice.name} was deleted.`;
      this.list.querySelector("button")?.focus();  // the button that had the focus is gone
    });
  }

  /**
   * @param {Voice} voice
   * @param {HTMLButtonElement} pressed
   */
  async preview(voice, pressed) {
    const wasPlaying = this.playing === pressed;
    this.silence();
    if (wasPlaying) return;
    this.playing = pressed;
    pressed.textContent = "Stop";
    await this.told(async () => {
      const answer = await this.page.client.fetch(`${URL_OF_VOICES}/${voice.id}/preview`);
      const sound = await answer.blob();
      if (this.playing !== pressed) return;
      if (sound.size === 0) {  // the preview was stopped from elsewhere
        this.silence();
        return;
      }
      this.player.src = URL.createObjectURL(sound);
      await this.player.play();
    });
  }

  silence() {
    this.player.pause();
    if (this.player.src) URL.revokeObjectURL(this.player.src);
    if (this.playing) this.playing.textContent = "Preview";
    this.playing = null;
  }

  /** Tells the user what is wrong, and goes on. @param {() => Promise<void>} act */
  async told(act) {
    try {
      await act();
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return;  // it was silenced
      if (!(error instanceof SpeechError)) throw error;
      this.silence();
      this.page.tell(error);
    }
  }
}
