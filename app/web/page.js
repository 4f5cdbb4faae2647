// What all panels of the page share: the client, the player, the newest utterance, the voices.

import { SpeechClient } from "./client.js";
import { Conversation } from "./conversation.js";
import { listen } from "./events.js";
import { messageOf } from "./messages.js";
import { Player } from "./player.js";
import { Utterance } from "./utterance.js";

/** @typedef {import("./client.js").SpeechOptions} SpeechOptions */
/** @typedef {{id: string, name: string, [field: string]: any}} Voice */

const SAMPLE_RATE = 24_000;

/**
 * Events, each a CustomEvent with its `detail`: `utterance` {utterance} and `conversation`
 * {conversation}: a new one begins;
 * `voices`: `voices` is new; `connected`: a key was given that the server takes, or needs none;
 * `trouble` {error, message}: something went wrong, in plain words; `calm`: that is over.
 */
export class Page extends EventTarget {
  client = new SpeechClient();
  player = new Player();
  /** @type {Utterance|null} the newest; it keeps its sound until the next one */
  utterance = null;
  /** @type {Conversation|null} the one that runs */
  conversation = null;
  /** @type {Voice[]} */
  voices = [];
  /**
   * What the form shows now. `prebufferMs` null: what the server tells.
   * @type {() => {text: string, options: SpeechOptions, prebufferMs: number|null}}
   */
  read = () => ({ text: "", options: { voice: "" }, prebufferMs: null });

  /** Opens the socket and loads the worklet, before anybody asks for speech. What fails is tried
   * again, and told, when somebody does. */
  async prepare() {
    await Promise.allSettled([this.client.prepare(), this.player.prepare(SAMPLE_RATE)]);
  }

  /**
   * Speaks a text, or its pieces as they come. Stops what speaks. Never rejects: what goes wrong is
   * the utterance's `end`, and is shown.
   * @param {string|AsyncIterable<string>} text
   * @param {SpeechOptions} options
   * @param {number|null} prebufferMs
   * @returns {Promise<Utterance>} once all text is sent
   */
  async say(text, options, prebufferMs) {
    this.conversation?.end();
    if (this.utterance?.isLive) void this.utterance.stop();
    this.utterance?.dispose();
    const utterance = new Utterance(this.player, options, prebufferMs);
    this.utterance = utterance;
    utterance.addEventListener("end", () => this.#ended(utterance));
    utterance.addEventListener("refused", (event) =>
      this.tell(/** @type {CustomEvent} */ (event).detail.error));
    this.#dispatch("calm");
    this.#dispatch("utterance", { utterance });
    try {
      await this.#send(utterance, text);
    } catch (error) {
      utterance.finish({ type: "error", error: /** @type {any} */ (error) });
    }
    return utterance;
  }

  /** Talks with the server by voice. Stops what speaks. What goes wrong is shown. */
  async converse() {
    await this.stop();
    const { voice, speed } = this.read().options;
    const conversation = new Conversation(this.client, this.player, { voice, speed });
    this.conversation = conversation;
    listen(conversation, "trouble", ({ error }) => this.tell(error));
    listen(conversation, "ended", ({ error }) => {
      this.conversation = null;
      if (error !== null) this.tell(error);
    });
    this.#dispatch("calm");
    this.#dispatch("conversation", { conversation });
    await conversation.start();
  }

  /** Whether something speaks, plays or is made that `stop` would stop. */
  get isLive() {
    return this.utterance?.isLive || this.conversation?.isAnswering || false;
  }

  /** Stops what speaks or plays: silence first, then the server. */
  async stop() {
    if (this.utterance?.isLive) await this.utterance.stop();
    if (this.conversation?.isAnswering) await this.conversation.stop();
  }

  /** Plays what is kept of the newest utterance. @param {number} ms where it begins */
  async seek(ms) {
    if (!this.utterance?.numSamples) return;
    this.conversation?.end();
    try {
      await this.player.open(this.utterance.sampleRate);
      this.utterance.seek(ms);
    } catch (error) {
      this.tell(error);
    }
  }

  /** Reads the voices of the server. What goes wrong is shown. */
  async loadVoices() {
    try {
      const answer = await this.client.fetch("v1/audio/voices");
      this.voices = (await answer.json()).voices;
      this.#dispatch("voices");
      return true;
    } catch (error) {
      this.tell(error);
      return false;
    }
  }

  /** Asks the server again, with this key from now on. @param {string} key "" is none */
  async useKey(key) {
    this.client.key = key;
    this.client.disconnect();
    this.#dispatch("calm");
    if (!await this.loadVoices()) return;
    this.#dispatch("connected");
    await this.prepare();
  }

  /** Shows what went wrong, in plain words. @param {unknown} error */
  tell(error) {
    this.#dispatch("trouble", { error, message: messageOf(error) });
  }

  /**
   * @param {Utterance} utterance
   * @param {string|AsyncIterable<string>} text
   */
  async #send(utterance, text) {
    const opening = this.player.open(utterance.sampleRate);
    await Promise.all([this.client.prepare(), opening]);
    const speech = utterance.isStopped ? null : await this.client.speak(utterance.options);
    if (speech === null) {
      utterance.finish({ type: "cancelled" });
      return;
    }
    utterance.follow(speech);  // before the next message can come
    const pieces = typeof text === "string" ? [text] : text;
    for await (const piece of pieces) {
      if (utterance.isStopped || utterance.end !== null) return;
      utterance.append(piece);
    }
    utterance.close();
  }

  /** @param {Utterance} utterance */
  #ended(utterance) {
    if (utterance.end?.type === "error") this.tell(utterance.end.error);
  }

  /**
   * @param {string} type
   * @param {object} [detail]
   */
  #dispatch(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
