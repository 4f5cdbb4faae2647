// Records from the microphone, and tells level and length while it does. The browser chooses the
// container: WebM (Chrome, Firefox), MP4 (Safari) or Ogg. Uploads nothing.

import { openMicrophone } from "./microphone.js";
import { levelDb } from "./spectrum.js";

export const MAX_S = 30;  // of speech that the server takes
export const MIN_S = 5;
const TELL_EVERY_MS = 100;
const PART_MS = 1000;

// A voice is made of the sound as it is: an echo canceller and a gain control would change it.
const PLAIN = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

/**
 * Events: `level` {seconds, levelDb}, ten times a second; `stop` {blob}, once, also
 * after MAX_S.
 */
export class Recorder extends EventTarget {
  /** Asks for the microphone. @returns {Promise<Recorder>} rejects with a MicrophoneError */
  static async start() {
    return new Recorder(await openMicrophone(PLAIN));
  }

  /** @param {MediaStream} stream */
  constructor(stream) {
    super();
    this.stream = stream;
    this.beganMs = performance.now();
    this.context = new AudioContext();
    this.meter = this.context.createAnalyser();
    this.context.createMediaStreamSource(stream).connect(this.meter);
    /** @type {Blob[]} */
    this.parts = [];
    this.recorder = new MediaRecorder(stream);
    this.recorder.addEventListener("dataavailable", ({ data }) => this.parts.push(data));
    this.recorder.addEventListener("stop", () => this.finish());
    this.recorder.start(PART_MS);
    this.timer = setInterval(() => this.tell(), TELL_EVERY_MS);
  }

  get seconds() {
    return (performance.now() - this.beganMs) / 1000;
  }

  /** Ends the recording; the event `stop` brings it. */
  stop() {
    if (this.recorder.state !== "inactive") this.recorder.stop();
  }

  tell() {
    const samples = new Float32Array(this.meter.fftSize);
    this.meter.getFloatTimeDomainData(samples);
    const detail = { seconds: this.seconds, levelDb: levelDb(samples) };
    this.dispatchEvent(new CustomEvent("level", { detail }));
    if (this.seconds >= MAX_S) this.stop();
  }

  finish() {
    clearInterval(this.timer);
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
    const blob = new Blob(this.parts, { type: this.recorder.mimeType });
    this.dispatchEvent(new CustomEvent("stop", { detail: { blob } }));
  }
}
