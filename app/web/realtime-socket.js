// The connection of a conversation: OpenAI's Realtime API (docs/realtime.md), as events. Knows
// nothing about sound.

import { SpeechError, errorOfMessage } from "./speech-error.js";

const PATH = "v1/realtime";
/** @type {Record<string, string>} */
const CODES = {  // by the reason with which the server closes
  idle: "conversation_idle",
  session_expired: "conversation_expired",
  cancelled: "conversation_stopped",
  rate_limit_exceeded: "rate_limit_exceeded",
};

/**
 * Events, each a CustomEvent with its `detail`: those of the server, by their `type`; `refused`
 * {error}: the server's event `error`; `lost` {error}: the server has ended the conversation, or is
 * away.
 */
export class RealtimeSocket extends EventTarget {
  #socket;

  /**
   * Rejects with a SpeechError.
   * @param {import("./client.js").SpeechClient} client
   */
  static async open(client) {
    return new RealtimeSocket(await client.openSocket(PATH, "realtime"));
  }

  /** @param {WebSocket} socket which is open */
  constructor(socket) {
    super();
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#receive(JSON.parse(data)));
    socket.addEventListener("close", ({ reason }) => {
      const code = CODES[reason] ?? "connection_lost";
      this.#tell("lost", { error: new SpeechError(code, "the conversation has ended") });
    });
  }

  /**
   * @param {string} type
   * @param {object} [fields]
   */
  send(type, fields = {}) {
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ type, ...fields }));
    }
  }

  close() {
    this.#socket.close();
  }

  /** @param {{type: string, [field: string]: any}} event */
  #receive(event) {
    if (event.type === "error") this.#tell("refused", { error: errorOfMessage(event.error) });
    else this.#tell(event.type, event);
  }

  /**
   * @param {string} type
   * @param {object} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
