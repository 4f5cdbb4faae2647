// Samples of 16 bits: read from bytes, and made of numbers from -1 to 1. Pure.

const SCALE = 32768;

/** Reads s16le bytes that may be cut anywhere. */
export class PcmReader {
  #odd = new Uint8Array(0);  // half a sample, with which the newest bytes ended

  /**
   * @param {Uint8Array} bytes
   * @returns {Int16Array}
   */
  read(bytes) {
    const all = new Uint8Array(this.#odd.length + bytes.length);
    all.set(this.#odd);
    all.set(bytes, this.#odd.length);
    const numBytes = all.length - all.length % 2;
    this.#odd = all.slice(numBytes);
    const pcm = new Int16Array(numBytes / 2);
    const view = new DataView(all.buffer);
    for (let index = 0; index < pcm.length; index += 1) pcm[index] = view.getInt16(2 * index, true);
    return pcm;
  }
}

/** @param {Int16Array} samples */
export function floatsOf(samples) {
  return Float32Array.from(samples, (value) => value / SCALE);
}

/**
 * As s16le bytes.
 * @param {Float32Array} samples
 */
export function s16leOf(samples) {
  const bytes = new Uint8Array(2 * samples.length);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < samples.length; index += 1) {
    const value = Math.round(samples[index] * SCALE);
    view.setInt16(2 * index, Math.max(-SCALE, Math.min(SCALE - 1, value)), true);
  }
  return bytes;
}
