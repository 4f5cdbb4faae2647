// The panel "Where the time went": the first sound, the legs of the session as bars, the real-time
// factor, and the course of lead, tokens and slots while it speaks.

import { barTable, lineChart } from "./charts.js";
import { element, factTable } from "./elements.js";
import { CANCEL, FIRST_SOUND, placed, realTimeFactor } from "./legs.js";
import { LiveCourse } from "./live-course.js";
import { reportsOf } from "./session-reports.js";
import { SpeechError } from "./speech-error.js";

/** @typedef {import("./page.js").Page} Page */

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
  page.addEventListener("utterance", (event) => panel.begin(event.detail.utterance));
}

class Timeline {
  /** @param {Page} page @param {Record<string, HTMLElement>} places */
  constructor(page, places) {
    this.page = page;
    this.places = places;
    this.utterance = null;
    this.course = new LiveCourse();
    /** @type {import("./session-reports.js").SessionReport[]} */
    this.takes = [];
    this.drawnMs = 0;
  }

  begin(utterance) {
    this.utterance = utterance;
    this.course = new LiveCourse();
    this.takes = [];
    this.places.legs.replaceChildren();
    this.draw();
    this.watchSlots(utterance);
    utterance.addEventListener("position", ({ detail }) => this.moved(utterance, detail));
    utterance.addEventListener("drained", () => this.draw());
    utterance.addEventListener("end", () => this.learn(utterance));
  }

  /** @param {import("./utterance.js").Utterance} utterance */
  moved(utterance, { buffered }) {
    if (utterance !== this.utterance || utterance.isReplay) return;
    const { sampleRate, numSamples, options } = utterance;
    const [receivedS, leadS] = [numSamples / sampleRate, buffered / sampleRate];
    this.course.position(this.atS(), receivedS, leadS, options.speed ?? 1);
    if (performance.now() - this.drawnMs >= DRAW_EVERY_MS) this.draw();
  }

  /** Asks the server where the time of an utterance went. It tells once the utterance has ended. */
  async learn(utterance) {
    const takes = await reportsOf(this.page.client, utterance.sessionId);
    if (utterance !== this.utterance) return;
    this.takes = takes;
    this.draw();
  }

  atS() {
    return (performance.now() - this.utterance.times.asked) / 1000;
  }

  draw() {
    this.drawnMs = performance.now();
    this.places.facts.replaceChildren(factsOf(this.utterance, this.takes));
    if (this.utterance.end !== null) {
      this.places.legs.replaceChildren(...tablesOf(this.utterance, this.takes));
    }
    this.places.charts.replaceChildren(
      lineChart("Lead of playback", this.course.lead, (value) => `${value.toFixed(2)} s`),
      lineChart("Speech tokens received", this.course.tokens, String),
      lineChart("Free slots", this.course.slots, String));
  }

  /** Asks for the free slots until the utterance has ended. A server that is away has none. */
  async watchSlots(utterance) {
    while (utterance === this.utterance && utterance.end === null) {
      const num = await this.freeSlots();
      if (utterance === this.utterance && num != null) this.course.slotsFree(this.atS(), num);
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

function factsOf({ times, numSamples, sampleRate, position }, takes) {
  const since = (at) => (at === null ? "–" : `${Math.round(at - times.asked)} ms`);
  const factor = realTimeFactor(takes);
  return factTable("This utterance", [
    ["First sound received", since(times.firstAudio)],
    ["First sound played", since(times.firstSample)],
    ["Real-time factor", factor === null ? "–" : factor.toFixed(2)],
    ["Sound received", `${(numSamples / (sampleRate || 1)).toFixed(2)} s`],
    ["Gaps in the sound", String(position?.numUnderruns ?? 0)],
  ]);
}

/** The legs in the page, in the server until the first sound, and of the cancel. */
function tablesOf(utterance, takes) {
  const tables = [barTable("In the page", pageLegs(utterance))];
  const first = takes.length ? placed(FIRST_SOUND, takes[0].marks) : [];
  if (first.length) tables.push(barTable("In the server, until the first sound", first.map(row)));
  const cancelled = takes.find((take) => "cancel_received" in take.marks);
  const stop = cancelled ? placed(CANCEL, cancelled.marks) : [];
  if (stop.length) tables.push(barTable("In the server, of the cancel", stop.map(row)));
  return tables;
}

function row({ name, meaning, fromMs, toMs }) {
  const told = `${(toMs - fromMs).toFixed(1)} ms`;
  return { name: `${name}: ${meaning}`, from: fromMs, to: toMs, told };
}

/** @param {{times: import("./utterance.js").Times}} utterance */
function pageLegs({ times }) {
  const ends = [
    ["from the click until the server has begun", times.asked, times.started],
    ["until the first sound is received", times.started, times.firstAudio],
    ["until the first sound is played", times.firstAudio, times.firstSample],
  ];
  const legs = ends.filter(([, from, to]) => from !== null && to !== null);
  return legs.map(([name, from, to]) => ({
    name, from: from - times.asked, to: to - times.asked, told: `${(to - from).toFixed(1)} ms`,
  }));
}
