// The panel "Download": what was heard as a WAV file, and the same request as a file in any format.

import { button, element, labelled } from "./elements.js";
import { listen } from "./events.js";
import { servedModel } from "./served-model.js";
import { SpeechError } from "./speech-error.js";
import { wavOf } from "./wav.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./utterance.js").Utterance} Utterance */

const FORMATS = ["wav", "mp3", "opus", "aac", "flac", "pcm", "mulaw", "alaw"];
/** @type {Record<string, string>} */
const ENDINGS = { opus: "ogg", mulaw: "ul", alaw: "al" };
const LIVE_ALONE = ["start", "timestamps", "max_buffer_ms"];  // a file has no such field

/**
 * @param {HTMLElement} root
 * @param {Page} page
 */
export function mount(root, page) {
  /** @type {Utterance|null} */
  let utterance = null;
  const format = element("select", {},
    ...FORMATS.map((name) => element("option", { value: name }, name)));
  const heard = button("What was heard, as WAV", () => {
    if (!utterance?.position) return;
    const { sound, position, sampleRate } = utterance;
    save(wavOf(sound, position.position, sampleRate), "heard.wav");
  }, { disabled: true });
  const anew = button("Download", () => fetchFile(), { disabled: true });
  const state = element("p", { class: "quiet", role: "status" });
  root.append(
    element("div", { class: "row" }, heard),
    element("div", { class: "row" }, labelled("Format", format), anew),
    element("p", { class: "quiet" }, "A file in another format is made anew by the server, of the "
      + "same text, voice and seed. Its pauses may differ from those of text that came in pieces."),
    state);

  async function fetchFile() {
    if (utterance === null) return;
    const kind = format.value;
    anew.disabled = true;
    state.textContent = "The server makes the file …";
    try {
      const body = JSON.stringify(await fileRequest(page, utterance, kind));
      const headers = { "Content-Type": "application/json" };
      const answer = await page.client.fetch("v1/audio/speech", { method: "POST", headers, body });
      const name = `speech.${ENDINGS[kind] ?? kind}`;
      save(await answer.blob(), name);
      state.textContent = `${name} was downloaded.`;
    } catch (error) {
      if (!(error instanceof SpeechError)) throw error;
      state.textContent = "";
      page.tell(error);
    } finally {
      anew.disabled = false;
    }
  }

  listen(page, "utterance", (/** @type {{utterance: Utterance}} */ { utterance: newest }) => {
    utterance = newest;
    heard.disabled = anew.disabled = true;
    state.textContent = "";
    newest.addEventListener("drained", () => {
      if (newest !== utterance) return;
      heard.disabled = newest.position === null;
      anew.disabled = newest.text === "";
    });
  });
}

/**
 * The body of POST /v1/audio/speech for the text and the seed of an utterance.
 * @param {Page} page
 * @param {Utterance} utterance
 * @param {string} kind
 */
async function fileRequest(page, utterance, kind) {
  const { text, seed } = utterance;
  /** @type {Record<string, any>} */
  const options = Object.fromEntries(
    Object.entries(utterance.options).filter(([name]) => !LIVE_ALONE.includes(name)));
  const model = options.model ?? (await servedModel(page.client))?.id ?? "tts-1";
  return { ...options, model, input: text, seed, response_format: kind, stream: false };
}

/** @param {Blob} blob @param {string} name */
function save(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);  // a browser may read it later
}
