// The panel "Voices": choose, hear a preview, make one of a recording, delete.

import { element } from "./elements.js";
import { VoiceList } from "./voice-list.js";
import { VoiceMaker } from "./voice-maker.js";

/** @typedef {import("./page.js").Page} Page */

/**
 * @param {HTMLElement} root
 * @param {Page} page
 */
export function mount(root, page) {
  const choice = /** @type {HTMLSelectElement} */ (document.getElementById("voice"));
  const voices = new VoiceList(page, choice);
  const maker = new VoiceMaker(page, async (id) => {
    await page.loadVoices();
    voices.use(id);
  });
  root.append(voices.list, voices.state, element("details", {}, element("summary", {}, "Make a voice"),
    maker.form));
  choice.addEventListener("change", () => voices.mark());
  page.addEventListener("voices", () => voices.show());
}
