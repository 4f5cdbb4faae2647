// Levels of sound: the loudness of samples, and the bands of a spectrum. Pure.

export const FFT_SIZE = 512;
export const QUIETEST_DB = -90;

const hann = Float32Array.from({ length: FFT_SIZE }, (_, index) =>
  0.5 - 0.5 * Math.cos((2 * Math.PI * index) / FFT_SIZE));  // Hann
const turns = Float64Array.from({ length: FFT_SIZE / 2 }, (_, index) =>
  (-2 * Math.PI * index) / FFT_SIZE);
const cosines = turns.map(Math.cos);
const sines = turns.map(Math.sin);
const HANN_GAIN = FFT_SIZE / 4;  // of a sine at full scale

/** Root mean square in dB relative to full scale. @param {Float32Array} samples */
export function levelDb(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return decibels(Math.sqrt(sum / Math.max(1, samples.length)));
}

/** The largest magnitude of samples from `begin` to `end`. @param {Float32Array} samples */
export function peakOf(samples, begin = 0, end = samples.length) {
  let peak = 0;
  for (let index = begin; index < end; index += 1) peak = Math.max(peak, Math.abs(samples[index]));
  return peak;
}

/** @param {number} magnitude 1: full scale */
export function decibels(magnitude) {
  return magnitude > 0 ? Math.max(QUIETEST_DB, 20 * Math.log10(magnitude)) : QUIETEST_DB;
}

/**
 * The spectrum of FFT_SIZE samples around the middle of `begin` and `end`; what lies outside counts
 * as silence.
 *
 * @param {Float32Array} samples
 * @param {number} middle index of a sample
 * @returns {Float32Array} dB of FFT_SIZE / 2 bands, from 0 Hz to half of the rate
 */
export function spectrumAt(samples, middle) {
  const real = new Float32Array(FFT_SIZE);
  const imaginary = new Float32Array(FFT_SIZE);
  const begin = Math.round(middle) - FFT_SIZE / 2;
  for (let index = 0; index < FFT_SIZE; index += 1) {
    real[index] = (samples[begin + index] ?? 0) * hann[index];
  }
  transform(real, imaginary);
  return Float32Array.from({ length: FFT_SIZE / 2 }, (_, band) =>
    decibels(Math.hypot(real[band], imaginary[band]) / HANN_GAIN));
}

/**
 * The Fourier transform of Cooley and Tukey, in place, of FFT_SIZE values.
 * @param {Float32Array|Float64Array} real
 * @param {Float32Array|Float64Array} imaginary
 */
export function transform(real, imaginary) {
  const size = real.length;
  for (let index = 1, reversed = 0; index < size; index += 1) {
    let bit = size >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed ^= bit;
    if (index < reversed) {
      [real[index], real[reversed]] = [real[reversed], real[index]];
      [imaginary[index], imaginary[reversed]] = [imaginary[reversed], imaginary[index]];
    }
  }
  for (let half = 1; half < size; half *= 2) {
    for (let begin = 0; begin < size; begin += 2 * half) {
      butterflies(real, imaginary, begin, half);
    }
  }
}

/**
 * @param {Float32Array|Float64Array} real
 * @param {Float32Array|Float64Array} imaginary
 * @param {number} begin
 * @param {number} half
 */
function butterflies(real, imaginary, begin, half) {
  const step = FFT_SIZE / 2 / half;
  for (let index = 0; index < half; index += 1) {
    const cosine = cosines[index * step];
    const sine = sines[index * step];
    const low = begin + index;
    const high = low + half;
    const turnedReal = real[high] * cosine - imaginary[high] * sine;
    const turnedImaginary = real[high] * sine + imaginary[high] * cosine;
    real[high] = real[low] - turnedReal;
    imaginary[high] = imaginary[low] - turnedImaginary;
    real[low] += turnedReal;
    imaginary[low] += turnedImaginary;
  }
}
