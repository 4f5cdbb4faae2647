// A client of the server's speech socket, for browsers, without dependencies.
//
//     const client = new SpeechClient({ url: "https://tts.example/", key: "…" });
//     const speech = await client.speak({ voice: "ada", timestamps: "word" });
//     speech.addEventListener("audio", ({ detail }) => play(detail.bytes));
//     speech.append("Hello there. ");
//     speech.close();
//     const end = await speech.ended;
//
// Text may come in pieces, cut anywhere. `speech.cancel(playedMs)` stops the server and resolves to
// its acknowledgement. Where a proxy forbids sockets, the client speaks over server-sent events
// instead (event-speech.js): the text is then sent as a whole when it is closed. The client plays
// nothing (player.js does). docs/websocket.md describes the messages.

import { SpeechError, errorOfAnswer } from "./speech-error.js";
import { EventSpeech } from "./event-speech.js";
import { SocketSpeech } from "./socket-speech.js";

/**
 * How to speak: the fields of the message `start`, which are those of POST /v1/audio/speech.
 * @typedef {object} SpeechOptions
 * @property {string} voice
 * @property {string} [model]
 * @property {"pcm"|"wav"|"mp3"|"opus"|"aac"|"flac"|"mulaw"|"alaw"} [response_format] default pcm
 * @property {number} [sample_rate]
 * @property {number} [speed]
 * @property {string} [language]
 * @property {number} [seed]
 * @property {"smooth"|"soonest"} [start]
 * @property {"word"} [timestamps]
 * @property {number} [max_buffer_ms] over a socket alone
 * @property {number} [temperature]
 * @property {number} [exaggeration]
 * @property {number} [cfg_weight]
 */

/**
 * @typedef {object} Heard what the listener has heard of the text
 * @property {string} text
 * @property {string|null} last_word
 * @property {number} char_end
 * @property {number} audio_ms
 * @property {boolean} is_estimate
 */

/**
 * @typedef {object} Acknowledgement the answer to a cancel
 * @property {"stopped"|"stopping"|"already_done"|"unknown"} state
 * @property {number} audio_sent_ms
 * @property {number} tokens_generated
 * @property {number} tokens_discarded
 * @property {number} stop_ms
 * @property {Heard|null} heard
 */

/**
 * How a speech ended. `done`: everything was sent. `cancelled`: this client stopped it.
 * @typedef {object} SpeechEnd
 * @property {"done"|"cancelled"|"error"} type
 * @property {string} [finish_reason] of `done`
 * @property {{input_tokens: number, output_tokens: number, total_tokens: number}} [usage]
 * @property {{first_audio_ms: number, total_ms: number, audio_ms: number}} [timing]
 * @property {number} [dropped_characters]
 * @property {Acknowledgement} [acknowledgement] of `cancelled`
 * @property {SpeechError} [error] of `error`
 */

/**
 * One text and its sound. Events, each a CustomEvent with its `detail`:
 * `started` {response_format, sample_rate, seed, prebuffer_ms, session_id}; `audio` {bytes,
 * prebuffer_ms}; `words` {words, estimated}; `flushed`; `refused` {error}: one message of ours was
 * wrong, and everything goes on; `end` (SpeechEnd).
 * @typedef {SocketSpeech|EventSpeech} Speech
 */

const SOCKET = "v1/audio/speech/stream";
const OPEN_WITHIN_MS = 5000;
const MAX_REFUSED = 10;  // the server closes a socket after 20 wrong messages, by default
const MAX_ENDED = 8;  // speeches; the server remembers 64

export { SpeechError };

/** Events: `connected`, `disconnected`. */
export class SpeechClient extends EventTarget {
  /** @type {WebSocket|null} */
  #socket = null;
  /** @type {Promise<void>|null} */
  #opening = null;
  /** @type {Map<string, SocketSpeech>} by context id */
  #speeches = new Map();
  /** @type {Map<number, SocketSpeech>} by stream */
  #streams = new Map();
  #numSpeeches = 0;
  #numRefused = 0;  // messages of this socket, which the server closes at its limit
  #areSocketsForbidden = false;

  /**
   * @param {object} [options]
   * @param {string|URL} [options.url] of the server; default: the server of this module
   * @param {string} [options.key] an API key; it stays in memory
   * @param {"auto"|"socket"|"events"} [options.transport] `auto`: the socket, and events where the
   *   server answers and its socket cannot be opened
   */
  constructor({ url = new URL("..", import.meta.url), key = "", transport = "auto" } = {}) {
    super();
    this.url = new URL(url);
    this.key = key;
    this.transport = transport;
  }

  get isConnected() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Which transport the next speech takes, as far as that is known. */
  get usesEvents() {
    return this.transport === "events" || this.#areSocketsForbidden;
  }

  /**
   * Opens the socket, unless it is open. Rejects with a SpeechError: `server_gone`,
   * `socket_forbidden`, or the code with which the server refuses (`invalid_api_key`, …).
   */
  async connect() {
    if (this.#isWorn()) this.disconnect();
    if (this.isConnected) return;
    this.#opening ??= this.#open().finally(() => { this.#opening = null; });
    await this.#opening;
  }

  /** Opens the socket, or finds that sockets are forbidden. Rejects as `connect` does. */
  async prepare() {
    if (this.usesEvents) return;
    try {
      await this.connect();
    } catch (error) {
      const isForbidden = error instanceof SpeechError && error.code === "socket_forbidden";
      if (!isForbidden || this.transport === "socket") throw error;
      this.#areSocketsForbidden = true;
    }
  }

  /**
   * Begins a speech. Opens the socket where it is not open. Rejects with a SpeechError; what is
   * wrong with the options is told by the speech's `end`.
   * @param {SpeechOptions} options
   * @returns {Promise<Speech>}
   */
  async speak(options) {
    await this.prepare();
    if (this.usesEvents) return new EventSpeech(this, options);
    this.#forgetEnded();
    this.#numSpeeches += 1;
    const id = `speech-${this.#numSpeeches}`;
    const speech = new SocketSpeech(id, (message) => this.#send(message));
    this.#speeches.set(id, speech);
    speech.start(options);
    return speech;
  }

  /**
   * A request to a route of the server, with the key. Rejects with a SpeechError where the server
   * is gone or refuses.
   * @param {string} path without a slash at its start
   * @param {RequestInit} [init]
   */
  async fetch(path, init = {}) {
    const headers = new Headers(init.headers);
    if (this.key) headers.set("Authorization", `Bearer ${this.key}`);
    let answer;
    try {
      answer = await fetch(new URL(path, this.url), { ...init, headers });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new SpeechError("server_gone", "the server does not answer");
    }
    if (!answer.ok) throw await errorOfAnswer(answer);
    return answer;
  }

  /**
   * A socket of the server that is open, with the key. Rejects as `connect` does.
   * @param {string} path without a slash at its start
   * @param {string} protocol
   */
  async openSocket(path, protocol) {
    const url = new URL(path, this.url);
    url.protocol = url.protocol.replace("http", "ws");
    let socket;
    try {
      const key = this.key ? [`chatterbox.key.${this.key}`] : [];
      socket = new WebSocket(url, [protocol, ...key]);
    } catch {  // a key with a character that no subprotocol may have
      throw new SpeechError("invalid_api_key", "this is no API key", { status: 401 });
    }
    const isOpen = await opened(socket);
    if (!isOpen) throw await this.#reason();
    return socket;
  }

  /** Closes the socket, which stops what is being spoken. Forgets that sockets were forbidden. */
  disconnect() {
    this.#areSocketsForbidden = false;
    if (this.#socket === null) return;
    this.#socket.close();
    this.#lost(this.#socket);
  }

  async #open() {
    const socket = await this.openSocket(SOCKET, "chatterbox");
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#numRefused = 0;
    socket.addEventListener("message", ({ data }) => this.#receive(data));
    socket.addEventListener("close", () => this.#lost(socket));
    this.dispatchEvent(new Event("connected"));
  }

  /** Why the socket did not open. A browser does not tell the status of a refused handshake. */
  async #reason() {
    try {
      await this.fetch("v1/models");
    } catch (error) {
      if (error instanceof SpeechError) return error;
      throw error;
    }
    return new SpeechError("socket_forbidden", "the server answers, but its socket does not open");
  }

  /** Whether the server might close the socket at the next wrong message, and nothing speaks. */
  #isWorn() {
    const isSpeaking = [...this.#speeches.values()].some((speech) => !speech.hasEnded);
    return this.#numRefused >= MAX_REFUSED && !isSpeaking;
  }

  /** @param {object} message */
  #send(message) {
    if (this.isConnected) this.#socket?.send(JSON.stringify(message));
  }

  /** @param {string|ArrayBuffer} frame */
  #receive(frame) {
    if (frame instanceof ArrayBuffer) {
      const stream = new DataView(frame).getUint32(0);
      this.#streams.get(stream)?.receiveSound(new Uint8Array(frame, 4));
      return;
    }
    const message = JSON.parse(frame);
    if (message.type === "error" && message.stream === undefined) this.#numRefused += 1;
    const speech = this.#speeches.get(message.context_id);
    if (message.type === "started" && speech) this.#streams.set(message.stream, speech);
    speech?.receive(message);
    if (speech?.hasEnded) this.#streams.delete(message.stream);
  }

  /** An ended speech is kept for a while: its listener may stop it while its sound still plays. */
  #forgetEnded() {
    const ended = [...this.#speeches.values()].filter((speech) => speech.hasEnded);
    for (const speech of ended.slice(0, -MAX_ENDED)) this.#speeches.delete(speech.id);
  }

  /** @param {WebSocket} socket */
  #lost(socket) {
    if (this.#socket !== socket) return;
    this.#socket = null;
    const speeches = [...this.#speeches.values()];
    this.#speeches.clear();
    this.#streams.clear();
    for (const speech of speeches) speech.lose();
    this.dispatchEvent(new Event("disconnected"));
  }
}

/**
 * @param {WebSocket} socket
 * @returns {Promise<boolean>}
 */
function opened(socket) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => { socket.close(); resolve(false); }, OPEN_WITHIN_MS);
    const settle = (/** @type {boolean} */ isOpen) => { clearTimeout(timer); resolve(isOpen); };
    socket.addEventListener("open", () => settle(true), { once: true });
    socket.addEventListener("close", () => settle(false), { once: true });
  });
}
