// One speech over server-sent events, for networks that forbid sockets: the text is collected, and
// sent as a whole when it is closed. It has the methods and events of SocketSpeech.

import { bytesOf } from "./base64.js";
import { SpeechError, errorOfMessage } from "./speech-error.js";

/** @typedef {import("./client.js").SpeechClient} SpeechClient */
/** @typedef {import("./client.js").SpeechOptions} SpeechOptions */
/** @typedef {import("./client.js").SpeechEnd} SpeechEnd */
/** @typedef {import("./client.js").Acknowledgement} Acknowledgement */

const NOTHING_SENT = {
  state: /** @type {const} */ ("stopped"),
  audio_sent_ms: 0,
  tokens_generated: 0,
  tokens_discarded: 0,
  stop_ms: 0,
  heard: null,
};

export class EventSpeech extends EventTarget {
  #client;
  #options;
  #text = "";
  #isSent = false;
  #isCancelled = false;
  #reading = new AbortController();
  /** @type {(end: SpeechEnd) => void} */
  #settle = () => {};
  /** @type {SpeechEnd|null} */
  #end = null;

  /**
   * @param {SpeechClient} client
   * @param {SpeechOptions} options
   */
  constructor(client, options) {
    super();
    const random = crypto.getRandomValues(new Uint8Array(12));
    this.id = [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    this.isWhole = true;
    this.#client = client;
    this.#options = options;
    /** @type {Promise<SpeechEnd>} */
    this.ended = new Promise((resolve) => { this.#settle = resolve; });
  }

  get hasEnded() {
    return this.#end !== null;
  }

  /** @param {string} text */
  append(text) {
    this.#text += text;
  }

  /** Has no effect: the text is spoken as a whole. */
  flush() {}

  close() {
    if (!this.#isSent && !this.hasEnded) void this.#speak();
  }

  /**
   * @param {number} [playedMs]
   * @returns {Promise<Acknowledgement>}
   */
  async cancel(playedMs) {
    this.#isCancelled = true;
    if (!this.#isSent) {
      this.#finish({ type: "cancelled", acknowledgement: NOTHING_SENT });
      return NOTHING_SENT;
    }
    const body = playedMs === undefined ? undefined : JSON.stringify({ played_ms: playedMs });
    const headers = { "Content-Type": "application/json" };
    const answer = await this.#client
      .fetch(`cancel/${this.id}`, { method: "POST", headers, body })
      .catch((error) => this.#lose(error));
    const { session_id: _, ...acknowledgement } = await answer.json();
    this.#finish({ type: "cancelled", acknowledgement });
    this.#reading.abort();
    return acknowledgement;
  }

  /**
   * @param {unknown} error of the cancel
   * @returns {never}
   */
  #lose(error) {
    this.#reading.abort();
    this.#isCancelled = false;
    this.#finish({ type: "error", error: asSpeechError(error) });
    throw asSpeechError(error);
  }

  async #speak() {
    this.#isSent = true;
    try {
      const { max_buffer_ms: _, ...options } = this.#options;
      const asked = { model: "tts-1", response_format: "pcm", ...options };
      const answer = await this.#client.fetch("v1/audio/speech", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Request-ID": this.id },
        body: JSON.stringify({ ...asked, input: this.#text, stream_format: "sse" }),
        signal: this.#reading.signal,
      });
      this.#begin(answer.headers, asked.response_format);
      if (answer.body !== null) await this.#read(answer.body);
      const broken = new SpeechError("connection_lost", "the answer broke off");
      const isWhole = answer.status !== 204;
      this.#finish(isWhole ? { type: "error", error: broken } : { type: "done" });
    } catch (error) {
      this.#finish({ type: "error", error: asSpeechError(error) });
    }
  }

  /**
   * @param {Headers} headers
   * @param {string} format
   */
  #begin(headers, format) {
    this.#prebufferMs = numberOf(headers, "X-Prebuffer-Ms");
    this.#tell("started", {
      response_format: format,
      sample_rate: numberOf(headers, "X-Sample-Rate"),
      seed: numberOf(headers, "X-Seed"),
      prebuffer_ms: this.#prebufferMs,
      session_id: this.id,
    });
  }

  /** @type {number|null} */
  #prebufferMs = null;

  /** @param {ReadableStream<Uint8Array>} body */
  async #read(body) {
    let kept = "";
    const decoder = new TextDecoder();
    const reader = body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const events = (kept + decoder.decode(part.value, { stream: true })).split("\n\n");
      kept = events.pop() ?? "";
      for (const event of events) this.#receive(JSON.parse(event.replace(/^data: /, "")));
    }
  }

  /** @param {{type: string, [field: string]: any}} event */
  #receive(event) {
    const { type, ...fields } = event;
    if (type === "speech.audio.delta") {
      const prebuffer_ms = this.#prebufferMs;
      this.#prebufferMs = null;
      this.#tell("audio", { bytes: bytesOf(fields.audio), prebuffer_ms });
    } else if (type === "speech.audio.words") {
      this.#tell("words", fields);
    } else if (type === "speech.audio.error") {
      this.#finish({ type: "error", error: errorOfMessage(fields.error) });
    } else if (type === "speech.audio.done" && !this.#isCancelled) {
      this.#finish({ type: "done", ...fields });
    }
  }

  /**
   * @param {string} type
   * @param {object} detail
   */
  #tell(type, detail) {
    if (!this.#isCancelled) this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {SpeechEnd} end */
  #finish(end) {
    if (this.#end !== null || (this.#isCancelled && end.type !== "cancelled")) return;
    this.#end = end;
    this.#settle(end);
    this.dispatchEvent(new CustomEvent("end", { detail: end }));
  }
}

/**
 * @param {unknown} error
 */
function asSpeechError(error) {
  if (error instanceof SpeechError) return error;
  return new SpeechError("connection_lost", "the answer broke off");
}

/**
 * @param {Headers} headers
 * @param {string} name
 */
function numberOf(headers, name) {
  const value = headers.get(name);
  return value === null ? null : Number(value);
}
