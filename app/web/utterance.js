// One text that is spoken on this page: the speech of the client, what of its sound is kept, and
// when everything happened. The panels read it, and listen to its events.

import { PcmReader, floatsOf } from "./pcm.js";

/** @typedef {import("./client.js").Speech} Speech */
/** @typedef {import("./client.js").SpeechOptions} SpeechOptions */
/** @typedef {import("./client.js").SpeechEnd} SpeechEnd */
/** @typedef {import("./client.js").Acknowledgement} Acknowledgement */
/** @typedef {import("./player.js").Player} Player */
/** @typedef {import("./player.js").Position} Position */

/**
 * @typedef {object} Word
 * @property {string} text
 * @property {number} char_start in code points of the utterance's text
 * @property {number} char_end
 * @property {number} start_ms
 * @property {number|null} end_ms null: not known yet
 * @property {boolean} is_estimate
 */

/**
 * Times of performance.now(), in ms; null: not yet.
 * @typedef {object} Times
 * @property {number} asked the click
 * @property {number|null} started the server's answer to the first message
 * @property {number|null} firstAudio the first bytes of sound
 * @property {number|null} firstSample the audio thread plays
 * @property {number|null} lastAudio the newest bytes of sound
 * @property {number|null} ended the server's last message
 * @property {number|null} drained everything was played, or dropped
 * @property {number|null} stopAsked the click on Stop
 * @property {number|null} silent the audio thread has confirmed its silence
 * @property {number|null} acknowledged the server has
 */

/**
 * Events, each a CustomEvent with its `detail`: `started`; `audio` {samples: Int16Array, start};
 * `words` {words: Word[]}; `playing`; `position` (Position); `refused` {error}: a message of ours;
 * `stopping`; `silent`; `acknowledged` (Acknowledgement); `end` (SpeechEnd): the server has said
 * its last; `drained`: everything was played, or dropped.
 */
export class Utterance extends EventTarget {
  #player;
  /** @type {Speech|null} */
  #speech = null;
  #playId = 0;
  #isStopped = false;
  #listening = new AbortController();
  #pcm = new PcmReader();

  text = "";
  /** Of the context at the server: GET /v1/sessions/{sessionId} has its report. */
  sessionId = "";
  /** @type {number|null} */
  seed = null;
  /** @type {Int16Array[]} the sound that came, in order */
  sound = [];
  numSamples = 0;
  /** @type {Map<number, Word>} by `char_start` */
  words = new Map();
  /** @type {SpeechEnd|null} */
  end = null;
  /** @type {Acknowledgement|null} */
  acknowledgement = null;
  /** @type {Position|null} the newest, of the first playing */
  position = null;
  isReplay = false;

  /**
   * @param {Player} player
   * @param {SpeechOptions} options
   * @param {number|null} prebufferMs null: what the server tells
   */
  constructor(player, options, prebufferMs) {
    super();
    this.#player = player;
    this.options = options;
    this.prebufferMs = prebufferMs;
    this.sampleRate = options.sample_rate ?? 24_000;
    /** @type {Times} */
    this.times = {
      asked: performance.now(), started: null, firstAudio: null, firstSample: null, lastAudio: null,
      ended: null, drained: null, stopAsked: null, silent: null, acknowledged: null,
    };
    const { signal } = this.#listening;
    for (const kind of ["playing", "position", "drained"]) {
      const act = (/** @type {Event} */ event) => this.#played(/** @type {CustomEvent} */ (event));
      player.addEventListener(kind, act, { signal });
    }
  }

  /** Whether there is something to stop: the server may send more, or sound is left to play. */
  get isLive() {
    return this.#isPlaying || (this.end === null && !this.#isStopped);
  }

  get isStopped() {
    return this.#isStopped;
  }

  get #isPlaying() {
    return this.#playId > 0 && this.times.drained === null;
  }

  /** @param {Speech} speech which has just begun */
  follow(speech) {
    this.#speech = speech;
    const on = (/** @type {string} */ type, /** @type {(detail: any) => void} */ act) =>
      speech.addEventListener(type, (event) => act(/** @type {CustomEvent} */ (event).detail),
        { signal: this.#listening.signal });
    on("started", (detail) => this.#start(detail));
    on("audio", (detail) => this.#receive(detail));
    on("words", (detail) => this.#learn(detail.words));
    on("refused", (detail) => this.#tell("refused", detail));
    on("end", (detail) => this.finish(detail));
  }

  /** @param {string} piece */
  append(piece) {
    this.text += piece;
    this.#speech?.append(piece);
  }

  /** No more text comes. */
  close() {
    this.#speech?.close();
  }

  /** The sound that is kept, from sample `start` on. @param {number} [start] */
  samples(start = 0) {
    const all = new Float32Array(Math.max(0, this.numSamples - start));
    let at = -start;
    for (const part of this.sound) {
      const kept = part.subarray(Math.max(0, -at));
      if (kept.length) all.set(floatsOf(kept), Math.max(0, at));
      at += part.length;
    }
    return all;
  }

  /** Plays what is kept, from `ms` on. What still comes follows. @param {number} ms */
  seek(ms) {
    const position = Math.min(this.numSamples, Math.round(ms * this.sampleRate / 1e3));
    this.isReplay = true;
    this.times.drained = null;
    this.#playId = this.#player.begin({ position });
    this.#player.add(this.#playId, this.samples(position));
    if (this.end !== null || this.#isStopped) this.#player.end(this.#playId);
  }

  /**
   * Silence first, then the server: the cancel tells it what was played. Where the server has sent
   * everything already, its acknowledgement says what was heard. A replay is silenced alone.
   */
  async stop() {
    const isReplayAlone = this.isReplay && (this.end !== null || this.#isStopped);
    if (!this.#isStopped && !isReplayAlone) this.times.stopAsked = performance.now();
    this.#tell("stopping");
    const isFirst = this.times.stopAsked !== null && !this.#isStopped;
    if (isFirst) this.#isStopped = true;
    const played = this.#playId > 0 ? await this.#player.stop() : 0;
    if (isFirst) this.times.silent = performance.now();
    this.#tell("silent");
    this.#drain();
    const farthest = Math.max(played, this.position?.position ?? 0);  // it may play again
    if (isFirst && this.#speech !== null) await this.#cancel(this.#speech, farthest);
  }

  /**
   * @param {Speech} speech
   * @param {number} played
   */
  async #cancel(speech, played) {
    try {
      this.acknowledgement = await speech.cancel(played * 1e3 / this.sampleRate);
      this.times.acknowledged = performance.now();
      this.#tell("acknowledged", this.acknowledgement);
    } catch (error) {  // the connection is lost: the server stops what it spoke for it
      this.#tell("refused", { error });
    }
  }

  /** The server says no more. @param {SpeechEnd} end */
  finish(end) {
    if (this.end !== null) return;
    this.end = end;
    this.times.ended = performance.now();
    if (this.#playId > 0) this.#player.end(this.#playId);
    else this.#drain();
    this.#tell("end", end);
  }

  /** Lets the player and the speech forget it. */
  dispose() {
    this.#listening.abort();
  }

  /** @param {{session_id: string, sample_rate: number, seed: number}} told */
  #start(told) {
    this.times.started = performance.now();
    this.sessionId = told.session_id;
    this.sampleRate = told.sample_rate;
    this.seed = told.seed;
    this.#tell("started", told);
  }

  /** @param {{bytes: Uint8Array, prebuffer_ms: number|null}} sound */
  #receive({ bytes, prebuffer_ms }) {
    this.times.lastAudio = performance.now();
    const start = this.numSamples;
    const samples = this.#pcm.read(bytes);
    this.sound.push(samples);
    this.numSamples += samples.length;
    const waitMs = prebuffer_ms === null ? null : (this.prebufferMs ?? prebuffer_ms);
    if (this.times.firstAudio === null) {
      this.times.firstAudio = this.times.lastAudio;
      this.#playId = this.#player.begin({ waitMs: this.prebufferMs ?? prebuffer_ms ?? 0 });
    }
    if (!this.#isStopped) this.#player.add(this.#playId, floatsOf(samples), waitMs);
    this.#tell("audio", { samples, start });
  }

  /** @param {Word[]} words one that comes again has better times */
  #learn(words) {
    for (const word of words) this.words.set(word.char_start, word);
    this.#tell("words", { words });
  }

  /** @param {CustomEvent} event of the player */
  #played({ type, detail }) {
    if (detail.id !== this.#playId) return;
    if (type === "drained") {
      this.#drain();
      return;
    }
    if (type === "playing") this.times.firstSample ??= performance.now();
    else if (!this.isReplay) this.position = detail;
    this.#tell(type, detail);
  }

  #drain() {
    if (this.times.drained !== null) return;
    this.times.drained = performance.now();
    this.#tell("drained");
  }

  /**
   * @param {string} type
   * @param {object} [detail]
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
