// The form that makes a voice of a recording: a file, or the microphone. Shows level and length
// before anything is sent, and asks for the speaker's consent.

import { button, element, factTable, labelled } from "./elements.js";
import { listen } from "./events.js";
import { MicrophoneError } from "./microphone.js";
import { MAX_S, MIN_S, Recorder } from "./recorder.js";
import { levelsOf } from "./sound-levels.js";
import { SpeechError } from "./speech-error.js";
import { QUIETEST_DB } from "./spectrum.js";

/** @type {Record<string, string>} */
const WARNINGS = {
  clipped: "It was recorded too loudly.",
  noisy: "The room is noisy.",
  quiet: "It was recorded too quietly.",
  sparse: "It has long pauses.",
  echo: "The room echoes.",
  several_voices: "It seems to have two speakers.",
};
const LOUD_PEAK = 0.99;  // from here on a sample is clipped
const QUIET_DB = -45;  // the server warns below

export class VoiceMaker {
  /**
   * @param {import("./page.js").Page} page
   * @param {(id: string) => Promise<void>} made is called with the id of a new voice
   */
  constructor(page, made) {
    this.page = page;
    this.made = made;
    /** @type {Blob|null} */
    this.sample = null;
    /** @type {Recorder|null} */
    this.recorder = null;
    this.name = element("input", { name: "name", required: true, maxlength: 64,
      autocomplete: "off" });
    this.consent = element("textarea", { name: "consent", required: true, maxlength: 2000,
      "aria-describedby": "consent-example" });
    this.file = element("input", { type: "file", accept: "audio/*,video/mp4,video/webm" });
    this.record = button("Record", () => this.recordOrStop());
    this.meter = element("meter", { min: QUIETEST_DB, max: 0, low: QUIET_DB, high: -1,
      optimum: -20, value: QUIETEST_DB, "aria-label": "Level of the recording" });
    this.state = element("p", { class: "quiet", role: "status" });
    this.listen = element("audio", { controls: true, hidden: true,
      "aria-label": "The recording, before it is sent" });
    this.send = element("button", { type: "submit", class: "first", disabled: true }, "Make voice");
    this.result = element("div");
    this.form = this.build();
  }

  build() {
    this.file.addEventListener("change", () => this.chosen());
    const form = element("form", { "aria-label": "New voice" },
      element("h3", {}, "New voice"),
      labelled("Name of the voice", this.name),
      labelled("Consent, in the words of the speaker", this.consent),
      element("p", { id: "consent-example", class: "quiet" },
        "The server keeps it with the recording. For example: “I am Ann, and I agree that this "
        + "server speaks with my voice.”"),
      element("div", { class: "row" }, labelled("A file", this.file),
        element("span", {}, "or"), this.record, this.meter),
      element("p", { class: "quiet" },
        `Speak for ${MIN_S} to ${MAX_S} seconds, close to the microphone. Nothing is sent before `
        + "you press “Make voice”."),
      this.state, this.listen, this.send, this.result);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.upload();
    });
    return form;
  }

  async recordOrStop() {
    if (this.recorder) {
      this.recorder.stop();
      return;
    }
    try {
      this.recorder = await Recorder.start();
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      this.page.tell(error);
      return;
    }
    this.keep(null, "");
    this.file.value = "";
    this.record.textContent = "Stop recording";
    this.state.textContent = "The microphone records.";
    listen(this.recorder, "level", (level) => this.level(level));
    listen(this.recorder, "stop", ({ blob }) => this.recorded(blob));
  }

  /**
   * The length changes ten times a second, so a screen reader is not told of it.
   * @param {{seconds: number, levelDb: number}} level
   */
  level({ seconds, levelDb }) {
    this.meter.value = levelDb;
    this.record.textContent = `Stop recording (${seconds.toFixed(0)} s)`;
  }

  /** @param {Blob} blob */
  async recorded(blob) {
    this.recorder = null;
    this.record.textContent = "Record again";
    this.meter.value = QUIETEST_DB;
    await this.take(blob, `The recording (${blob.type.split(";")[0]})`);
  }

  async chosen() {
    const file = this.file.files?.[0];
    if (file) await this.take(file, file.name);
  }

  /**
   * Shows length and level of a sample that can be sent then.
   * @param {Blob} sample
   * @param {string} name
   */
  async take(sample, name) {
    const levels = await levelsOf(sample);
    this.keep(sample, levels === null
      ? `${name}: this browser cannot read it. The server may.`
      : `${name}: ${levels.seconds.toFixed(1)} s, level ${levels.levelDb.toFixed(0)} dB of full `
        + `scale.${adviceOn(levels)}`);
  }

  /** @param {Blob|null} sample @param {string} told */
  keep(sample, told) {
    this.sample = sample;
    this.state.textContent = told;
    this.send.disabled = sample == null;
    this.listen.hidden = sample == null;
    if (this.listen.src) URL.revokeObjectURL(this.listen.src);
    this.listen.removeAttribute("src");
    if (sample) this.listen.src = URL.createObjectURL(sample);
  }

  async upload() {
    if (this.sample === null) return;
    const body = new FormData();
    body.append("name", this.name.value);
    body.append("consent", this.consent.value);
    body.append("audio_sample", this.sample, "recording");
    this.send.disabled = true;
    this.state.textContent = "The server makes the voice …";
    try {
      const answer = await this.page.client.fetch("v1/audio/voices", { method: "POST", body });
      const voice = await answer.json();
      this.form.reset();
      this.keep(null, "");
      this.result.replaceChildren(heardTable(voice));
      this.state.textContent = `The voice ${voice.name} was made.`;
      await this.made(voice.id);
    } catch (error) {
      if (!(error instanceof SpeechError)) throw error;
      this.state.textContent = "The voice was not made.";
      this.send.disabled = false;
      this.page.tell(error);
    }
  }
}

/**
 * What a speaker can do better, before the server has heard it.
 * @param {{seconds: number, levelDb: number, peak: number}} levels
 */
function adviceOn({ seconds, levelDb, peak }) {
  /** @type {[boolean, string][]} */
  const advice = [
    [seconds < MIN_S, ` It is too short: ${MIN_S} seconds of speech are needed.`],
    [seconds > MAX_S, ` It is too long: ${MAX_S} seconds of speech are taken.`],
    [peak >= LOUD_PEAK, " It is too loud: go away from the microphone."],
    [levelDb < QUIET_DB, " It is too quiet: go nearer to the microphone."],
  ];
  return advice.filter(([holds]) => holds).map(([, told]) => told).join("");
}

/**
 * What the server heard in the recording of a new voice.
 * @param {any} voice of the answer
 */
function heardTable({ name, seconds, heard }) {
  const warnings = heard.warnings.map((/** @type {string} */ warning) => WARNINGS[warning] ?? warning);
  const noise = heard.noise_dbfs == null ? "not known" : `${heard.noise_dbfs.toFixed(0)} dBFS`;
  return factTable(`What was heard of ${name}`, [
    ["Length", `${seconds.toFixed(1)} s, of which ${heard.speech_s.toFixed(1)} s are speech`],
    ["Level of the speech", `${heard.level_dbfs.toFixed(0)} dBFS`],
    ["Level of the noise", noise],
    ["Warnings", warnings.length ? warnings.join(" ") : "none"],
  ]);
}
