// The columns of a picture of sound, made while the sound comes: the peak and the spectrum of each
// COLUMN_S. Keeps the last MAX_COLUMNS of one utterance. Pure.

import { peakOf, spectrumAt } from "./spectrum.js";

const COLUMN_S = 0.02;
export const MAX_COLUMNS = 3000;  // one minute

export class SoundColumns {
  /** @param {number} sampleRate Hz */
  constructor(sampleRate) {
    this.sampleRate = sampleRate;
    this.columnSamples = Math.round(COLUMN_S * sampleRate);
    /** @type {number[]} */
    this.peaks = [];
    /** @type {Float32Array[]} dB by band */
    this.spectra = [];
    this.numSamples = 0;  // that were fed
    this.numDropped = 0;  // columns that came before those that are kept
    this.rest = new Float32Array(0);
  }

  /** @param {Float32Array} samples that follow those before */
  feed(samples) {
    const joined = new Float32Array(this.rest.length + samples.length);
    joined.set(this.rest);
    joined.set(samples, this.rest.length);
    this.numSamples += samples.length;
    let begin = 0;
    for (; begin + this.columnSamples <= joined.length; begin += this.columnSamples) {
      this.peaks.push(peakOf(joined, begin, begin + this.columnSamples));
      this.spectra.push(spectrumAt(joined, begin + this.columnSamples / 2));
    }
    this.rest = joined.slice(begin);
    const excess = Math.max(0, this.peaks.length - MAX_COLUMNS);
    this.peaks.splice(0, excess);
    this.spectra.splice(0, excess);
    this.numDropped += excess;
  }

  /** How many of the columns that are kept lie before a sample. @param {number} sample */
  numBefore(sample) {
    const column = Math.ceil(sample / this.columnSamples) - this.numDropped;
    return Math.max(0, Math.min(this.peaks.length, column));
  }
}
