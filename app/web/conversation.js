// A conversation with the server: the microphone goes to it, its answer is played, and a voice that
// interrupts silences the page at once. Knows nothing about the document.

import { AnswerPlayer } from "./answer-player.js";
import { base64Of } from "./base64.js";
import { listen } from "./events.js";
import { s16leOf } from "./pcm.js";
import { RealtimeSocket } from "./realtime-socket.js";
import { errorOfMessage } from "./speech-error.js";
import { Transcript } from "./transcript.js";
import { SAMPLE_RATE, VoiceCapture } from "./voice-capture.js";

/**
 * A voice that interrupted an answer. Times are those of performance.now(), in ms.
 * @typedef {object} BargeIn
 * @property {number} voice when the voice began, by the microphone's clock
 * @property {number} told when the page was told of it
 * @property {number|null} silent when the audio thread had confirmed its silence; null: not yet
 * @property {Record<string, number>|null} legsMs of the server's chain; null: not told yet
 * @property {boolean} wasMaking whether the server still made the answer, and had to stop
 */

/** @typedef {"opening"|"listening"|"hearing"|"thinking"|"speaking"|"ended"} State */

// An answer that has ended meanwhile, or is forgotten, needs neither its cancel nor its cut.
const HARMLESS = [
  "response_cancel_not_active", "item_truncate_invalid_item_id", "item_retrieve_invalid_item_id",
];
const TRANSCRIPTION = "conversation.item.input_audio_transcription";

/**
 * Events, each a CustomEvent with its `detail`: `state` {state}; `line`: the transcript is new;
 * `interrupted` (BargeIn), again with each time that becomes known; `block` {samples} of the
 * microphone; `trouble` {error}, after which it goes on; `ended` {error}: null where `end` ended it.
 */
export class Conversation extends EventTarget {
  #client;
  #player;
  #options;
  #answer;
  /** @type {VoiceCapture|null} */
  #microphone = null;
  /** @type {RealtimeSocket|null} */
  #socket = null;
  /** @type {string|null} the response that the server makes */
  #response = null;
  #listening = new AbortController();

  /** @type {State} */
  state = "opening";
  transcript = new Transcript();
  /** @type {BargeIn|null} the newest */
  bargeIn = null;
  /** Whether the server has no language model, and repeats what it hears. */
  isEcho = false;

  /**
   * @param {import("./client.js").SpeechClient} client
   * @param {import("./player.js").Player} player
   * @param {{voice: string, speed?: number}} options
   */
  constructor(client, player, options) {
    super();
    this.#client = client;
    this.#player = player;
    this.#options = options;
    this.#answer = new AnswerPlayer(player, SAMPLE_RATE, this.#listening.signal);
  }

  /** Whether an answer is made or played, which a stop would end. */
  get isAnswering() {
    return this.#answer.isPlaying || this.#response !== null;
  }

  /** Whether the browser takes the page's own sound out of the microphone's. */
  get cancelsEcho() {
    return this.#microphone?.cancelsEcho ?? false;
  }

  /** Opens socket, player and microphone. Ends where one of them fails. */
  async start() {
    try {
      await this.#open();  // first: without a server nobody is asked for a microphone
      await this.#player.open(SAMPLE_RATE);
      this.#microphone = await VoiceCapture.open();
    } catch (error) {
      this.end(error);
      return;
    }
    if (this.state === "ended") this.#release();  // meanwhile
    else this.#listen(this.#microphone);
  }

  /** @param {unknown} [error] why, where it is a fault */
  end(error = null) {
    if (this.state === "ended") return;
    void this.#answer.silence();
    this.#response = null;
    this.#release();
    this.#enter("ended");
    this.#tell("ended", { error });
  }

  /** Silences the answer, and stops the server from making more of it. It goes on to listen. */
  async stop() {
    const response_id = this.#response;  // without it, a late cancel would end the next answer
    if (response_id !== null) this.#socket?.send("response.cancel", { response_id });
    await this.#silence();
    this.#enter("listening");
  }

  #release() {
    this.#listening.abort();
    this.#microphone?.close();
    this.#socket?.close();
  }

  async #open() {
    const socket = await RealtimeSocket.open(this.#client);
    this.#socket = socket;
    this.#follow(socket);
    const { voice, speed } = this.#options;
    const format = { type: "audio/pcm", rate: SAMPLE_RATE };
    const output = { format, voice, ...(speed === undefined ? {} : { speed }) };
    const audio = { input: { format, transcription: {} }, output };
    socket.send("session.update", { session: { type: "realtime", audio } });
  }

  /** @param {VoiceCapture} microphone */
  #listen(microphone) {
    this.#on(microphone, "lost", ({ error }) => this.end(error));
    this.#on(microphone, "block", ({ samples }) => {
      this.#socket?.send("input_audio_buffer.append", { audio: base64Of(s16leOf(samples)) });
      this.#tell("block", { samples });
    });
    this.#on(this.#answer, "playing", () => this.#enter("speaking"));
    this.#on(this.#answer, "progress", ({ itemId, playedMs }) =>
      this.#socket?.send("playback.ack", { item_id: itemId, played_ms: playedMs }));
    this.#on(this.#answer, "drained", () => this.#rest());
    microphone.begin();
    this.#enter("listening");
  }

  /** @param {RealtimeSocket} socket */
  #follow(socket) {
    /** @type {Record<string, (event: any) => void>} */
    const acts = {
      "lost": ({ error }) => this.end(error),
      "refused": ({ error }) => this.#refused(error),
      "session.created": ({ session }) => { this.isEcho = session.language_model === "echo"; },
      "input_audio_buffer.speech_started": (event) => this.#voiceBegan(event),
      "input_audio_buffer.committed": () => this.#enter("thinking"),
      [`${TRANSCRIPTION}.delta`]: ({ item_id, delta }) => this.#said(item_id, "you", delta),
      [`${TRANSCRIPTION}.completed`]: (event) => this.#understood(event),
      [`${TRANSCRIPTION}.failed`]: ({ error }) => this.#notUnderstood(error),
      "response.created": ({ response }) => { this.#response = response.id; },
      "response.output_audio.delta": ({ item_id, delta }) => this.#answer.add(item_id, delta),
      "response.output_audio.done": ({ item_id }) => this.#answer.finish(item_id),
      "response.output_audio_transcript.delta": ({ item_id, delta }) =>
        this.#said(item_id, "server", delta),
      "response.output_audio_transcript.done": ({ item_id, transcript }) =>
        this.#line(item_id, "server", transcript),
      "response.done": ({ response }) => this.#answered(response),
      "response.interrupted": ({ legs_ms }) => this.#chained(legs_ms),
      "conversation.item.truncated": ({ item_id }) =>
        socket.send("conversation.item.retrieve", { item_id }),
      "conversation.item.retrieved": ({ item }) => this.#heardOf(item),
    };
    for (const [kind, act] of Object.entries(acts)) this.#on(socket, kind, act);
  }

  /** @param {{audio_start_ms: number}} event */
  async #voiceBegan({ audio_start_ms }) {
    const [isInterrupted, told] = [this.isAnswering, performance.now()];
    this.#enter("hearing");
    if (!isInterrupted || this.#microphone === null) return;
    const voice = this.#microphone.momentOf(audio_start_ms);
    /** @type {BargeIn} */
    const bargeIn = { voice, told, silent: null, legsMs: null, wasMaking: this.#response !== null };
    this.bargeIn = bargeIn;
    await this.#silence();
    bargeIn.silent = performance.now();
    this.#tell("interrupted", bargeIn);
  }

  /** @param {Record<string, number>} legsMs */
  #chained(legsMs) {
    if (this.bargeIn === null) return;
    this.bargeIn.legsMs = legsMs;
    this.#tell("interrupted", this.bargeIn);
  }

  /** @param {{item_id: string, transcript: string}} event */
  #understood({ item_id, transcript }) {
    this.#line(item_id, "you", transcript);
    if (transcript === "") this.#rest();  // no answer follows
  }

  /** @param {{code: string, message: string}} error */
  #notUnderstood(error) {
    this.#rest();
    if (error.code !== "interrupted") this.#tell("trouble", { error: errorOfMessage(error) });
  }

  /** @param {{id: string, status: string, status_details: any}} response */
  #answered({ id, status, status_details }) {
    if (id === this.#response) this.#response = null;
    if (status === "failed") this.#tell("trouble", { error: errorOfMessage(status_details.error) });
    this.#rest();
  }

  /** Listens, unless somebody speaks or an answer is made. */
  #rest() {
    if (this.state !== "hearing" && !this.isAnswering) this.#enter("listening");
  }

  /** Plays nothing more of the answer, and tells the server how much was heard. */
  async #silence() {
    const heard = await this.#answer.silence();
    if (heard === null) return;
    this.transcript.cut(heard.itemId);
    const cut = { item_id: heard.itemId, content_index: 0, audio_end_ms: heard.playedMs };
    this.#socket?.send("conversation.item.truncate", cut);
  }

  /** @param {{id: string, status: string, content: {transcript: string}[]}} item that was cut */
  #heardOf({ id, status, content }) {
    if (status === "in_progress") return;  // its end tells what was heard
    this.#line(id, "server", content.map(({ transcript }) => transcript).join(""));
  }

  /** @param {import("./speech-error.js").SpeechError} error */
  #refused(error) {
    if (!HARMLESS.includes(error.code)) this.#tell("trouble", { error });
  }

  /** @param {string} id @param {"you"|"server"} speaker @param {string} text */
  #said(id, speaker, text) {
    this.transcript.append(id, speaker, text);
    this.#tell("line");
  }

  /** @param {string} id @param {"you"|"server"} speaker @param {string} text */
  #line(id, speaker, text) {
    this.transcript.set(id, speaker, text);
    this.#tell("line");
  }

  /** @param {State} state */
  #enter(state) {
    if (this.state === "ended" || this.state === state) return;
    this.state = state;
    this.#tell("state", { state });
  }

  /** @param {EventTarget} target @param {string} kind @param {(detail: any) => void} act */
  #on(target, kind, act) {
    listen(target, kind, act, { signal: this.#listening.signal });
  }

  /** @param {string} type @param {object} [detail] */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
