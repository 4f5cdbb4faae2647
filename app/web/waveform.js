// The panel "Sound": waveform and spectrogram of an utterance. What was heard is in colour, what is
// received but not heard is pale. A slider plays from any place of what was kept.

import { element, labelled } from "./elements.js";
import { listen } from "./events.js";
import { SoundColumns } from "./sound-columns.js";
import { QUIETEST_DB, decibels } from "./spectrum.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./utterance.js").Utterance} Utterance */

const DRAW_EVERY_MS = 250;
const WAVE_HEIGHT = 96;
const BANDS = 256;
const NOT_HEARD = 0.35;  // opacity
const PCM_SCALE = 32768;
const USUAL_RATE = 24_000;  // Hz, until the server has told its own

/**
 * @param {HTMLElement} root
 * @param {Page} page
 */
export function mount(root, page) {
  const picture = new Picture();
  const place = element("input", { type: "range", min: 0, max: 0, step: 10, value: 0,
    disabled: true });
  root.append(picture.wave, picture.spectrogram, picture.words,
    labelled("Play again from", place));
  place.addEventListener("input", () => {
    place.setAttribute("aria-valuetext", `${(Number(place.value) / 1000).toFixed(1)} seconds`);
  });
  place.addEventListener("change", () => page.seek(Number(place.value)));
  listen(page, "utterance", (/** @type {{utterance: Utterance}} */ { utterance }) => {
    picture.begin(utterance);
    place.disabled = true;
    utterance.addEventListener("drained", () => {
      const seconds = utterance.numSamples / (utterance.sampleRate || 1);
      place.max = String(Math.floor(seconds * 1000));
      place.disabled = utterance.numSamples === 0;
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => picture.draw());
  addEventListener("resize", () => picture.draw());
}

class Picture {
  constructor() {
    this.wave = element("canvas", { class: "wave", height: WAVE_HEIGHT, role: "img",
      "aria-label": "Waveform" });
    this.spectrogram = element("canvas", { class: "spectrogram", height: BANDS, role: "img",
      "aria-label": "Spectrogram" });
    this.words = element("p", { class: "quiet" }, "Nothing was heard yet.");
    /** @type {Utterance|null} */
    this.utterance = null;
    this.columns = new SoundColumns(USUAL_RATE);
    this.numHeard = 0;  // samples, up to the farthest one that was played
    this.drawnMs = 0;
  }

  /** @param {Utterance} utterance */
  begin(utterance) {
    this.utterance = utterance;
    this.columns = new SoundColumns(USUAL_RATE);
    this.numHeard = 0;
    this.draw();
    const on = (/** @type {string} */ kind, /** @type {(detail: any) => void} */ act) =>
      listen(utterance, kind, (detail) => { if (utterance === this.utterance) act(detail); });
    on("started", () => { this.columns = new SoundColumns(utterance.sampleRate); });
    on("audio", ({ samples }) => this.columns.feed(floatsOf(samples)));
    on("position", ({ position }) => this.moved(position));
    on("drained", () => this.draw());
  }

  /** @param {number} position */
  moved(position) {
    this.numHeard = Math.max(this.numHeard, position);
    if (performance.now() - this.drawnMs >= DRAW_EVERY_MS) this.draw();
  }

  draw() {
    this.drawnMs = performance.now();
    const numColumns = this.columns.numBefore(this.numHeard);
    this.drawWave(numColumns);
    this.drawSpectrogram(numColumns);
    this.words.textContent = this.columns.peaks.length ? this.told() : "Nothing was heard yet.";
  }

  told() {
    const { peaks, numSamples, sampleRate } = this.columns;
    const seconds = (/** @type {number} */ samples) => `${(samples / sampleRate).toFixed(1)} s`;
    return `${seconds(this.numHeard)} were heard, ${seconds(numSamples)} were received. The loudest `
      + `sample is at ${decibels(Math.max(...peaks)).toFixed(0)} dB of full scale. The spectrogram `
      + `goes up to ${sampleRate / 2000} kHz.`;
  }

  /** @param {number} numHeard columns */
  drawWave(numHeard) {
    const { peaks } = this.columns;
    const brush = brushOf(this.wave);
    const width = this.wave.width = Math.max(1, Math.round(this.wave.clientWidth));
    brush.fillStyle = getComputedStyle(this.wave).color;
    const step = width / Math.max(1, peaks.length);
    peaks.forEach((peak, index) => {
      const height = Math.max(1, peak * WAVE_HEIGHT);
      brush.globalAlpha = index < numHeard ? 1 : NOT_HEARD;
      brush.fillRect(index * step, (WAVE_HEIGHT - height) / 2, Math.max(step, 0.5), height);
    });
  }

  /**
   * Loud bands stand out from the ground; low bands are at the bottom.
   * @param {number} numHeard columns
   */
  drawSpectrogram(numHeard) {
    const { spectra } = this.columns;
    const width = this.spectrogram.width = Math.max(1, spectra.length);
    const brush = brushOf(this.spectrogram);
    const pixels = brush.createImageData(width, BANDS);
    const whole = new Uint32Array(pixels.data.buffer);  // a pixel is one write, of 768,000
    const ink = inkOf(getComputedStyle(this.spectrogram).color);
    spectra.forEach((bands, column) => {
      const strength = 255 * (column < numHeard ? 1 : NOT_HEARD);
      for (let band = 0; band < BANDS; band += 1) {
        const alpha = strength * Math.max(0, 1 - bands[band] / QUIETEST_DB);
        whole[(BANDS - 1 - band) * width + column] = ink | (alpha << 24);
      }
    });
    brush.putImageData(pixels, 0, 0);
  }
}

/** @param {HTMLCanvasElement} canvas */
function brushOf(canvas) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/** @param {Int16Array} samples */
function floatsOf(samples) {
  return Float32Array.from(samples, (sample) => sample / PCM_SCALE);
}

/**
 * A pixel of a colour without its opacity, as little-endian machines keep it.
 * @param {string} color as getComputedStyle tells it: rgb(…)
 */
function inkOf(color) {
  const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map(Number);
  return red | (green << 8) | (blue << 16);
}
