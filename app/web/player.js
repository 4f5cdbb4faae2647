// Plays the sound of one utterance at a time as it comes, through an AudioWorklet. An <audio>
// element would wait for 224 KiB of a WAV. Knows nothing about servers.

/**
 * @typedef {object} Position where playback is
 * @property {number} position samples of the utterance that were played
 * @property {number} buffered samples that wait to be played
 * @property {number} numUnderruns how often the sound ran out while more was to come
 * @property {number} silentSamples silence of all underruns
 * @property {boolean} isSilent
 * @property {number} time of the context, in seconds
 */

const STOPPED_WITHIN_MS = 50;
/** @type {Position} */
const NOTHING_PLAYED = {
  position: 0, buffered: 0, numUnderruns: 0, silentSamples: 0, isSilent: true, time: 0,
};

/** The browser cannot play, for a reason with a plain message (messages.js). */
export class PlayerError extends Error {
  /**
   * @param {"worklet_missing"|"worklet_failed"|"audio_blocked"} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.name = "PlayerError";
    this.code = code;
  }
}

/**
 * Events: `playing` and `drained` {id}, `position` (Position and id), each a CustomEvent. `node` is
 * the AudioNode through which everything plays.
 */
export class Player extends EventTarget {
  /** @type {AudioContext|null} */
  #context = null;
  /** @type {AudioWorkletNode|null} */
  node = null;
  /** @type {Promise<void>|null} */
  #making = null;
  #id = 0;
  /** @type {Position} */
  #last = NOTHING_PLAYED;
  /** @type {((position: number) => void)[]} of the stops that wait for the audio thread */
  #stopping = [];

  /** @type {AudioContext|null} */
  get context() {
    return this.#context;
  }

  /**
   * Makes the context and loads the worklet, so that `open` takes no time later.
   * @param {number} sampleRate
   */
  async prepare(sampleRate) {
    if (this.#context?.sampleRate === sampleRate) return;
    this.#making ??= this.#make(sampleRate).finally(() => { this.#making = null; });
    await this.#making;
  }

  /**
   * Lets it sound. A browser allows that only after a click or a key. Rejects with a PlayerError.
   * @param {number} sampleRate
   */
  async open(sampleRate) {
    await this.prepare(sampleRate);
    if (this.#context?.sampleRate !== sampleRate) await this.prepare(sampleRate);
    const context = /** @type {AudioContext} */ (this.#context);
    if (context.state !== "running") await withinASecond(context.resume());
    if (context.state !== "running") {
      throw new PlayerError("audio_blocked", "the browser does not let this page play sound");
    }
  }

  /** @param {number} sampleRate */
  async #make(sampleRate) {
    await this.#context?.close();
    this.#context = this.node = null;
    const context = new AudioContext({ sampleRate, latencyHint: "interactive" });
    try {
      await addWorklet(context, "playout-worklet.js");
    } catch (error) {
      await context.close();
      throw error;
    }
    const options = { numberOfInputs: 0, outputChannelCount: [1] };
    const node = new AudioWorkletNode(context, "playout", options);
    node.port.onmessage = ({ data }) => this.#receive(data);
    node.connect(context.destination);
    this.#context = context;
    this.node = node;
  }

  /**
   * Drops what plays, and begins an utterance.
   * @param {{position?: number, waitMs?: number}} [from] `waitMs` after its first sound
   * @returns {number} the id with which `add`, `end` and the events name it
   */
  begin({ position = 0, waitMs = 0 } = {}) {
    this.#id += 1;
    this.#last = { ...NOTHING_PLAYED, position };
    this.#tell("begin", { position, wait: this.#samples(waitMs) });
    return this.#id;
  }

  /**
   * @param {number} id
   * @param {Float32Array} samples which the player keeps
   * @param {number|null} [waitMs] see playout-worklet.js
   */
  add(id, samples, waitMs = null) {
    const wait = waitMs === null ? null : this.#samples(waitMs);
    this.node?.port.postMessage({ type: "sound", id, samples, wait }, [samples.buffer]);
  }

  /** @param {number} id */
  end(id) {
    this.node?.port.postMessage({ type: "end", id });
  }

  /**
   * Silence from the next render quantum on.
   * @returns {Promise<number>} how many samples of the utterance were played
   */
  async stop() {
    const guess = this.position;
    const stopped = new Promise((resolve) => {
      this.#stopping.push(resolve);
      setTimeout(() => resolve(guess), STOPPED_WITHIN_MS);  // the audio thread stands still
    });
    this.#tell("stop");
    return await stopped;
  }

  /** Samples of the utterance that were played until now. */
  get position() {
    const { position, buffered, isSilent, time } = this.#last;
    if (isSilent || this.#context === null) return position;
    const since = Math.max(0, this.#context.currentTime - time) * this.#context.sampleRate;
    return position + Math.min(buffered, Math.round(since));
  }

  /** The same, as far as the listener hears it: the device is `outputLatency` behind. */
  get heardPosition() {
    const context = this.#context;
    if (context === null) return 0;
    const behind = (context.outputLatency || 0) * context.sampleRate;
    return Math.max(0, Math.round(this.position - behind));
  }

  /** @param {number} ms */
  #samples(ms) {
    return Math.round(ms * (this.#context?.sampleRate ?? 0) / 1e3);
  }

  /**
   * @param {string} type
   * @param {object} [fields]
   */
  #tell(type, fields = {}) {
    this.node?.port.postMessage({ type, id: this.#id, ...fields });
  }

  /** @param {any} message */
  #receive(message) {
    if (message.type === "stopped") {
      this.#last = { ...this.#last, position: message.position, buffered: 0, isSilent: true };
      for (const resolve of this.#stopping.splice(0)) resolve(message.position);
      return;
    }
    if (message.id !== this.#id) return;
    if (message.type === "position") this.#last = message;
    if (message.type === "drained") this.#last = { ...this.#last, buffered: 0, isSilent: true };
    this.dispatchEvent(new CustomEvent(message.type, { detail: message }));
  }
}

/**
 * Rejects with a PlayerError.
 * @param {AudioContext} context
 * @param {string} name of a file beside this one
 */
export async function addWorklet(context, name) {
  if (context.audioWorklet === undefined) {
    throw new PlayerError("worklet_missing", "this page may not use an AudioWorklet");
  }
  try {
    await context.audioWorklet.addModule(new URL(name, import.meta.url));
  } catch {
    throw new PlayerError("worklet_failed", "the AudioWorklet could not be loaded");
  }
}

/** @param {Promise<void>} promise */
function withinASecond(promise) {
  return Promise.race([promise, new Promise((resolve) => setTimeout(resolve, 1000))]);
}
