// Plays the answers of a conversation, one item at a time, and knows how far each was played. Knows
// nothing about sockets.

import { bytesOf } from "./base64.js";
import { listen } from "./events.js";
import { PcmReader, floatsOf } from "./pcm.js";

const TELL_EVERY_MS = 250;

/**
 * Events, each a CustomEvent with its `detail`: `playing`: the first sample of an item plays;
 * `progress` {itemId, playedMs}, four times a second; `drained`: all of an item was played.
 */
export class AnswerPlayer extends EventTarget {
  #player;
  #rate;
  /** @type {{itemId: string, playId: number, pcm: PcmReader}|null} */
  #item = null;
  /** @type {string|null} the item that was silenced last */
  #silenced = null;
  #toldMs = 0;

  /**
   * @param {import("./player.js").Player} player
   * @param {number} rate of the sound
   * @param {AbortSignal} signal ends its interest in the player
   */
  constructor(player, rate, signal) {
    super();
    this.#player = player;
    this.#rate = rate;
    const on = (/** @type {string} */ kind, /** @type {() => void} */ act) =>
      listen(player, kind, ({ id }) => { if (id === this.#item?.playId) act(); }, { signal });
    on("playing", () => this.dispatchEvent(new CustomEvent("playing")));
    on("position", () => this.#progress());
    on("drained", () => {
      this.#item = null;
      this.dispatchEvent(new CustomEvent("drained"));
    });
  }

  get isPlaying() {
    return this.#item !== null;
  }

  /** @param {string} itemId @param {string} base64 of s16le */
  add(itemId, base64) {
    if (itemId === this.#silenced) return;
    if (this.#item?.itemId !== itemId) {
      this.#item = { itemId, playId: this.#player.begin(), pcm: new PcmReader() };
    }
    this.#player.add(this.#item.playId, floatsOf(this.#item.pcm.read(bytesOf(base64))));
  }

  /** No more sound of the item comes. @param {string} itemId */
  finish(itemId) {
    if (this.#item?.itemId === itemId) this.#player.end(this.#item.playId);
  }

  /**
   * Plays nothing more of the item.
   * @returns {Promise<{itemId: string, playedMs: number}|null>} once the audio thread is silent;
   *   null: nothing played
   */
  async silence() {
    if (this.#item === null) return null;
    const { itemId } = this.#item;
    this.#item = null;
    this.#silenced = itemId;
    const played = await this.#player.stop();
    return { itemId, playedMs: played * 1e3 / this.#rate };
  }

  #progress() {
    const now = performance.now();
    if (this.#item === null || now - this.#toldMs < TELL_EVERY_MS) return;
    this.#toldMs = now;
    const playedMs = this.#player.heardPosition * 1e3 / this.#rate;
    const detail = { itemId: this.#item.itemId, playedMs };
    this.dispatchEvent(new CustomEvent("progress", { detail }));
  }
}
