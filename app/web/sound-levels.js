// Length and level of a recording, as far as the browser can read it.

import { levelDb, peakOf } from "./spectrum.js";

const RATE = 24_000;  // Hz; decoded sound is resampled to it

/**
 * @param {Blob} recording
 * @returns {Promise<{seconds: number, levelDb: number, peak: number}|null>} null for a container
 *   that this browser does not read; the server may
 */
export async function levelsOf(recording) {
  try {
    const context = new OfflineAudioContext(1, 1, RATE);
    const sound = await context.decodeAudioData(await recording.arrayBuffer());
    const samples = sound.getChannelData(0);
    return { seconds: sound.duration, levelDb: levelDb(samples), peak: peakOf(samples) };
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}
