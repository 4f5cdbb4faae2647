// What somebody says into the microphone, block by block, for a conversation. The browser takes the
// page's own sound out of it. Knows nothing about servers.

import { MicrophoneError, openMicrophone } from "./microphone.js";
import { addWorklet } from "./player.js";

export const SAMPLE_RATE = 24_000;

// Without the echo canceller a loudspeaker would interrupt itself.
const WISH = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/**
 * Events, each a CustomEvent with its `detail`: `block` {samples: Float32Array}, 40 ms; `lost`
 * {error}: the microphone was taken away.
 */
export class VoiceCapture extends EventTarget {
  #stream;
  #context;
  /** @type {AudioWorkletNode|null} */
  #node = null;
  #numSamples = 0;
  #newestMs = 0;  // when the newest block came

  /** Asks for the microphone. Rejects with a MicrophoneError or a PlayerError. */
  static async open() {
    const stream = await openMicrophone(WISH);
    const capture = new VoiceCapture(stream);
    try {
      await capture.#prepare();
    } catch (error) {
      capture.close();
      throw error instanceof DOMException ? new MicrophoneError("microphone_failed") : error;
    }
    return capture;
  }

  /** @param {MediaStream} stream */
  constructor(stream) {
    super();
    this.#stream = stream;
    this.#context = new AudioContext({ sampleRate: SAMPLE_RATE });
  }

  /** Whether the browser takes the page's own sound out. */
  get cancelsEcho() {
    return this.#stream.getAudioTracks()[0].getSettings().echoCancellation === true;
  }

  /**
   * When a moment of the sound was heard.
   * @param {number} soundMs from the beginning of the first block
   * @returns {number} a time of performance.now()
   */
  momentOf(soundMs) {
    return this.#newestMs - (this.#numSamples * 1e3 / SAMPLE_RATE - soundMs);
  }

  close() {
    for (const track of this.#stream.getTracks()) track.stop();
    if (this.#context.state !== "closed") void this.#context.close();
  }

  /** From now on blocks come. */
  begin() {
    const node = /** @type {AudioWorkletNode} */ (this.#node);
    this.#context.createMediaStreamSource(this.#stream).connect(node);
    node.connect(this.#context.destination);  // else the browser does not run it
  }

  async #prepare() {
    const context = this.#context;
    await addWorklet(context, "capture-worklet.js");
    const node = new AudioWorkletNode(context, "capture", { outputChannelCount: [1],
      channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = ({ data }) => this.#take(data);
    this.#node = node;
    await context.resume();
    this.#stream.getAudioTracks()[0].addEventListener("ended", () => {
      const error = new MicrophoneError("microphone_lost");
      this.dispatchEvent(new CustomEvent("lost", { detail: { error } }));
    });
  }

  /** @param {Float32Array} samples */
  #take(samples) {
    this.#numSamples += samples.length;
    this.#newestMs = performance.now();
    this.dispatchEvent(new CustomEvent("block", { detail: { samples } }));
  }
}
