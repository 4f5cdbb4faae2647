// One speech over the socket: a context of docs/websocket.md.

import { SpeechError, errorOfMessage } from "./speech-error.js";

/** @typedef {import("./client.js").SpeechOptions} SpeechOptions */
/** @typedef {import("./client.js").SpeechEnd} SpeechEnd */
/** @typedef {import("./client.js").Acknowledgement} Acknowledgement */

const MAX_PIECE_CHARS = 8000;  // a message has at most 64 KiB; a character takes up to 6 bytes

export class SocketSpeech extends EventTarget {
  #send;
  #isStarted = false;
  #isCancelled = false;
  /** @type {number|null} */
  #prebufferMs = null;
  /** @type {(end: SpeechEnd) => void} */
  #settle = () => {};
  /** @type {(acknowledgement: Acknowledgement) => void} */
  #acknowledge = () => {};
  /** @type {(error: SpeechError) => void} */
  #refuse = () => {};
  /** @type {Promise<Acknowledgement>} */
  #acknowledged;
  /** @type {SpeechEnd|null} */
  #end = null;

  /**
   * @param {string} id of the context
   * @param {(message: object) => void} send
   */
  constructor(id, send) {
    super();
    this.id = id;
    this.isWhole = false;  // whether the text is sent as a whole, at its end
    this.#send = send;
    /** @type {Promise<SpeechEnd>} */
    this.ended = new Promise((resolve) => { this.#settle = resolve; });
    this.#acknowledged = new Promise((resolve, reject) => {
      this.#acknowledge = resolve;
      this.#refuse = reject;
    });
    this.#acknowledged.catch(() => {});  // a lost connection, while no cancel waits
  }

  get hasEnded() {
    return this.#end !== null;
  }

  /** @param {SpeechOptions} options */
  start(options) {
    this.#tell("start", { audio: "binary", ...options });
  }

  /**
   * Adds a piece of text.
   * @param {string} text
   */
  append(text) {
    for (let at = 0; at < text.length; at += MAX_PIECE_CHARS) {
      this.#tell("text", { text: text.slice(at, at + MAX_PIECE_CHARS) });
    }
  }

  /** Speaks now what has come. */
  flush() {
    this.#tell("flush");
  }

  /** No more text comes. */
  close() {
    this.#tell("close");
  }

  /**
   * Stops the speech. No `audio` follows. Of a speech that has ended the state is `already_done`.
   * @param {number} [playedMs] how much of the sound was played: `heard` is told by it
   * @returns {Promise<Acknowledgement>} rejects with a SpeechError where the connection is lost
   */
  async cancel(playedMs) {
    this.#isCancelled = true;
    const played = playedMs === undefined ? {} : { played_ms: playedMs };
    this.#send({ type: "cancel", context_id: this.id, ...played });
    return await this.#acknowledged;
  }

  /**
   * Takes a message of the server.
   * @param {{type: string, [field: string]: any}} message
   */
  receive(message) {
    const { type, context_id: _, stream, ...fields } = message;
    if (type === "cancelled") {
      const acknowledgement = /** @type {Acknowledgement} */ (fields);
      this.#acknowledge(acknowledgement);
      this.#finish({ type, acknowledgement });
    } else if (type === "error") {
      this.#refused(errorOfMessage(message.error), stream !== undefined);
    } else if (type === "done") {
      this.#finish({ type, ...fields });
    } else if (type === "audio") {  // it announces the sound, and has none
      this.#prebufferMs = fields.prebuffer_ms ?? null;
    } else if (!this.#isCancelled) {
      this.#isStarted ||= type === "started";
      this.dispatchEvent(new CustomEvent(type, { detail: fields }));
    }
  }

  /** @param {Uint8Array} bytes */
  receiveSound(bytes) {
    if (this.#isCancelled) return;
    const prebuffer_ms = this.#prebufferMs;
    this.#prebufferMs = null;
    this.dispatchEvent(new CustomEvent("audio", { detail: { bytes, prebuffer_ms } }));
  }

  /** The connection is lost. */
  lose() {
    const error = new SpeechError("connection_lost", "the connection to the server is lost");
    this.#finish({ type: "error", error });
    this.#refuse(error);
  }

  /**
   * A message of ours was wrong, or the speech failed.
   * @param {SpeechError} error
   * @param {boolean} isOfStream
   */
  #refused(error, isOfStream) {
    if (isOfStream || !this.#isStarted) this.#finish({ type: "error", error });
    else this.dispatchEvent(new CustomEvent("refused", { detail: { error } }));
  }

  /** @param {SpeechEnd} end */
  #finish(end) {
    if (this.#end !== null) return;
    this.#end = end;
    this.#settle(end);
    this.dispatchEvent(new CustomEvent("end", { detail: end }));
  }

  /**
   * @param {string} type
   * @param {object} [fields]
   */
  #tell(type, fields = {}) {
    if (!this.hasEnded) this.#send({ type, context_id: this.id, ...fields });
  }
}
