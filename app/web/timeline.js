// The panel "Where the time went": the first sound, the legs of the session as bars, the real-time
// factor, and the course of lead, tokens and slots while it speaks.

import { barTable, lineChart } from "./charts.js";
import { element, factTable } from "./elements.js";
import { listen } from "./events.js";
import { CANCEL, FIRST_SOUND, placed, realTimeFactor } from "./legs.js";
import { LiveCourse } from "./live-course.js";
import { reportsOf } from "./session-reports.js";
import { SpeechError } from "./speech-error.js";

/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./session-reports.js").SessionReport} SessionReport */
/** @typedef {import("./utterance.js").Utterance} Utterance */

const DRAW_EVERY_MS = 250;
const ASK_EVERY_MS = 1000;  // how busy the server is

/**
 * @param {HTMLElement} root
 * @param {Page} page
 */
export function mount(root, page) {
  const facts = element("div");
  const legs = element("div", { class: "legs" });
  const charts = element("div", { class: "charts" });
  facts.append(element("p", { class: "quiet" }, "Speak, and see the way of the request."));
  root.append(facts, charts, legs);
  const panel = new Timeline(page, { facts, legs, charts });
  listen(page, "utterance", ({ utterance }) => panel.begin(utterance));
}

class Timeline {
  /**
   * @param {Page} page
   * @param {{facts: HTMLElement, legs: HTMLElement, charts: HTMLElement}} places
   */
  constructor(page, places) {
    this.page = page;
    this.places = places;
    /** @type {Utterance|null} */
    this.utterance = null;
    this.course = new LiveCourse();
    /** @type {SessionReport[]} */
    this.takes = [];
    this.drawnMs = 0;
  }

  /** @param {Utterance} utterance */
  begin(utterance) {
    this.utterance = utterance;
    this.course = new LiveCourse();
    this.takes = [];
    this.places.legs.replaceChildren();
    this.draw();
    this.watchSlots(utterance);
    listen(utterance, "position", (position) => this.moved(utterance, position));
    utterance.addEventListener("drained", () => this.draw());
    utterance.addEventListener("end", () => this.learn(utterance));
  }

  /**
   * @param {Utterance} utterance
   * @param {import("./player.js").Position} position
   */
  moved(utterance, { buffered }) {
    if (utterance !== this.utterance || utterance.isReplay) return;
    const { sampleRate, numSamples, options } = utterance;
    const [receivedS, leadS] = [numSamples / sampleRate, buffered / sampleRate];
    this.course.position(secondsSince(utterance), receivedS, leadS, options.speed ?? 1);
    if (performance.now() - this.drawnMs >= DRAW_EVERY_MS) this.draw();
  }

  /**
   * Asks the server where the time of an utterance went. It tells once the utterance has ended.
   * @param {Utterance} utterance
   */
  async learn(utterance) {
    const takes = await reportsOf(this.page.client, utterance.sessionId);
    if (utterance !== this.utterance) return;
    this.takes = takes;
    this.draw();
  }

  draw() {
    const { utterance, takes } = this;
    if (utterance === null) return;
    this.drawnMs = performance.now();
    this.places.facts.replaceChildren(factsOf(utterance, takes));
    if (utterance.end !== null) this.places.legs.replaceChildren(...tablesOf(utterance, takes));
    this.places.charts.replaceChildren(
      lineChart("Lead of playback", this.course.lead, (value) => `${value.toFixed(2)} s`),
      lineChart("Speech tokens received", this.course.tokens, String),
      lineChart("Free slots", this.course.slots, String));
  }

  /**
   * Asks for the free slots until the utterance has ended. A server that is away has none.
   * @param {Utterance} utterance
   */
  async watchSlots(utterance) {
    while (utterance === this.utterance && utterance.end === null) {
      const num = await this.freeSlots();
      if (utterance === this.utterance && num !== null) {
        this.course.slotsFree(secondsSince(utterance), num);
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
    }
  }

  /** @returns {Promise<number|null>} of T3, which bounds how many are spoken at once */
  async freeSlots() {
    try {
      const answer = await this.page.client.fetch("health");
      return (await answer.json()).stages.t3?.slots_free ?? null;
    } catch (error) {
      if (error instanceof SpeechError) return null;  // the page says elsewhere what is wrong
      throw error;
    }
  }
}

/** @param {Utterance} utterance of the click that it answers */
function secondsSince({ times }) {
  return (performance.now() - times.asked) / 1000;
}

/**
 * @param {Utterance} utterance
 * @param {SessionReport[]} takes
 */
function factsOf({ times, numSamples, sampleRate, position }, takes) {
  const since = (/** @type {number|null} */ at) => (at === null ? "–" : `${Math.round(at - times.asked)} ms`);
  const factor = realTimeFactor(takes);
  return factTable("This utterance", [
    ["First sound received", since(times.firstAudio)],
    ["First sound played", since(times.firstSample)],
    ["Real-time factor", factor === null ? "–" : factor.toFixed(2)],
    ["Sound received", `${(numSamples / (sampleRate || 1)).toFixed(2)} s`],
    ["Gaps in the sound", String(position?.numUnderruns ?? 0)],
  ]);
}

/**
 * The legs in the page, in the server until the first sound, and of the cancel.
 * @param {Utterance} utterance
 * @param {SessionReport[]} takes
 */
function tablesOf(utterance, takes) {
  const tables = [barTable("In the page", pageLegs(utterance))];
  const first = takes.length ? placed(FIRST_SOUND, takes[0].marks) : [];
  if (first.length) tables.push(barTable("In the server, until the first sound", first.map(row)));
  const cancelled = takes.find((take) => "cancel_received" in take.marks);
  const stop = cancelled ? placed(CANCEL, cancelled.marks) : [];
  if (stop.length) tables.push(barTable("In the server, of the cancel", stop.map(row)));
  return tables;
}

/** @param {ReturnType<typeof placed>[number]} leg */
function row({ name, meaning, fromMs, toMs }) {
  const told = `${(toMs - fromMs).toFixed(1)} ms`;
  return { name: `${name}: ${meaning}`, from: fromMs, to: toMs, told };
}

/** @param {Utterance} utterance */
function pageLegs({ times }) {
  /** @type {[string, number|null, number|null][]} */
  const ends = [
    ["from the click until the server has begun", times.asked, times.started],
    ["until the first sound is received", times.started, times.firstAudio],
    ["until the first sound is played", times.firstAudio, times.firstSample],
  ];
  return ends.flatMap(([name, begin, end]) => {
    if (begin === null || end === null) return [];
    const [from, to] = [begin - times.asked, end - times.asked];
    return [{ name, from, to, told: `${(to - from).toFixed(1)} ms` }];
  });
}
