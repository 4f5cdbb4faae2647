// A WAV file of samples. Pure.

const HEADER_BYTES = 44;

/**
 * 16 bit, mono.
 *
 * @param {Int16Array[]} sound parts of it, in order
 * @param {number} numSamples of the sound that the file has
 * @param {number} sampleRate Hz
 * @returns {Blob}
 */
export function wavOf(sound, numSamples, sampleRate) {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  const numBytes = 2 * numSamples;
  const text = (/** @type {number} */ at, /** @type {string} */ name) =>
    [...name].forEach((char, index) => header.setUint8(at + index, char.charCodeAt(0)));
  text(0, "RIFF");
  header.setUint32(4, HEADER_BYTES - 8 + numBytes, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true);  // bytes of the block fmt
  header.setUint16(20, 1, true);  // PCM
  header.setUint16(22, 1, true);  // channels
  header.setUint32(24, sampleRate, true);
  header.setUint32(28, 2 * sampleRate, true);  // bytes in a second
  header.setUint16(32, 2, true);  // bytes of a frame
  header.setUint16(34, 16, true);  // bits of a sample
  text(36, "data");
  header.setUint32(40, numBytes, true);
  const samples = new DataView(new ArrayBuffer(numBytes));
  let at = 0;
  for (const part of sound) {
    for (const sample of part.subarray(0, numSamples - at)) {
      samples.setInt16(2 * at, sample, true);
      at += 1;
    }
  }
  return new Blob([header, samples], { type: "audio/wav" });
}
