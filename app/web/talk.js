// The panel "Talk to it": a conversation with the server by voice, and what an interruption took.
// Where the server does not hear, the panel says how to turn it on.

import { barTable } from "./charts.js";
import { button, element, labelled } from "./elements.js";
import { listen } from "./events.js";
import { BARGE_IN, placedChain } from "./legs.js";
import { servedModel } from "./served-model.js";
import { QUIETEST_DB, levelDb } from "./spectrum.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./conversation.js").BargeIn} BargeIn */

/** @type {Record<import("./conversation.js").State, string>} */
const STATES = {
  opening: "The conversation is opened.",
  listening: "It listens.",
  hearing: "You speak.",
  thinking: "It thinks.",
  speaking: "It speaks.",
  ended: "The conversation has ended.",
};
const SPEAKERS = { you: "You", server: "It" };
const ECHO = "The server has no language model, so it repeats what it has heard.";
const NO_CANCELLER = "This browser does not take the page's own sound out of the microphone. Wear "
  + "headphones, else the answer interrupts itself.";
const SETTINGS = `hearing: {}
realtime:
  llm: { base_url: "http://127.0.0.1:8001/v1", model: "my-model" }`;
const LEVEL_EVERY_MS = 100;

/**
 * @param {HTMLElement} root
 * @param {Page} page
 */
export function mount(root, page) {
  const panel = new Talk(page);
  const shown = element("div");
  root.append(shown);
  listen(page, "voices", async () => {
    const model = await servedModel(page.client);
    if (model !== null) shown.replaceChildren(...(model.hears ? panel.parts : howToTurnOn()));
  });
}

/** What an operator of a server that does not hear can do. */
function howToTurnOn() {
  return [
    element("p", {}, "This server does not hear. Its operator turns the hearing on among the "
      + "arguments of the application, and names a language model:"),
    element("pre", {}, element("code", {}, SETTINGS)),
    element("p", { class: "quiet" }, "Without a language model the server repeats what it has "
      + "heard. docs/realtime.md has more."),
  ];
}

class Talk {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    /** @type {Conversation|null} */
    this.conversation = null;
    this.shownMs = 0;
    this.talk = button("Talk", () => this.beginOrEnd(), { id: "talk", class: "first" });
    this.meter = element("meter", { min: QUIETEST_DB, max: 0, value: QUIETEST_DB });
    this.state = element("p", { id: "talk-state", role: "status" });
    this.notes = element("p", { class: "quiet" });
    this.lines = element("ol", { class: "transcript", "aria-label": "What was said",
      tabindex: 0 });
    this.chain = element("div", { class: "legs" });
    this.parts = [
      element("p", { class: "quiet" }, "Speak, and the server answers. Speak while it answers, and "
        + "it stops. Escape and the space bar stop it, too. The microphone's sound goes to this "
        + "server alone."),
      element("div", { class: "row" }, this.talk, labelled("Microphone", this.meter)),
      this.state, this.notes, this.lines, this.chain,
    ];
    listen(page, "conversation", ({ conversation }) => this.follow(conversation));
  }

  beginOrEnd() {
    if (this.conversation === null) void this.page.converse();
    else this.conversation.end();
  }

  /** @param {Conversation} conversation */
  follow(conversation) {
    this.conversation = conversation;
    this.talk.textContent = "End";
    this.notes.textContent = "";
    this.lines.replaceChildren();
    this.chain.replaceChildren();
    this.state.textContent = STATES[conversation.state];
    listen(conversation, "state", ({ state }) => this.enter(state));
    listen(conversation, "line", () => {
      this.lines.replaceChildren(...linesOf(conversation));
      this.lines.scrollTop = this.lines.scrollHeight;
    });
    listen(conversation, "interrupted", (bargeIn) => this.chain.replaceChildren(...tables(bargeIn)));
    listen(conversation, "block", ({ samples }) => this.level(samples));
  }

  /** @param {keyof STATES} state */
  enter(state) {
    this.state.textContent = STATES[state];
    if (state === "listening" && this.conversation !== null) {
      const { isEcho, cancelsEcho } = this.conversation;
      this.notes.textContent = [isEcho && ECHO, !cancelsEcho && NO_CANCELLER].filter(Boolean).join(" ");
    } else if (state === "ended") {
      this.conversation = null;
      this.talk.textContent = "Talk";
      this.meter.value = QUIETEST_DB;
    }
  }

  /** @param {Float32Array} samples */
  level(samples) {
    const now = performance.now();
    if (now - this.shownMs < LEVEL_EVERY_MS) return;
    this.shownMs = now;
    this.meter.value = levelDb(samples);
  }
}

/** @param {Conversation} conversation */
function linesOf({ transcript }) {
  return transcript.lines.map(({ speaker, text, isCut }) =>
    element("li", {}, element("span", { class: "quiet" }, `${SPEAKERS[speaker]}: `), text.trim(),
      isCut ? element("span", { class: "quiet" }, " (interrupted)") : ""));
}

/**
 * The interruption: what the page measured, and each leg of the server's chain.
 * @param {BargeIn} bargeIn
 */
function tables({ voice, told, silent, legsMs, wasMaking }) {
  const row = (/** @type {string} */ name, /** @type {number} */ from, /** @type {number} */ to) =>
    ({ name, from, to, told: `${(to - from).toFixed(1)} ms` });
  const inPage = [row("from the voice until the page is told of it", 0, told - voice)];
  if (silent !== null) inPage.push(row("until the page is silent", told - voice, silent - voice));
  /** @type {HTMLElement[]} */
  const made = [barTable("The interruption, in the page", inPage)];
  if (legsMs !== null) {
    const legs = placedChain(BARGE_IN, legsMs).map(({ name, meaning, fromMs, toMs }) =>
      row(`${name}: ${meaning}`, fromMs, toMs));
    made.push(barTable("The interruption, in the server", legs));
  } else if (!wasMaking) {
    made.push(element("p", { class: "quiet" },
      "The server had sent the whole answer. What waited in the page was dropped."));
  }
  return made;
}
