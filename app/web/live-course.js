// The course of one utterance: lead of playback, speech tokens and free slots over time. Keeps at
// most MAX_POINTS of each, so that a long utterance does not fill memory. Pure.

export const TOKENS_PER_S = 25;
const MAX_POINTS = 600;

export class LiveCourse {
  constructor() {
    /** @type {[number, number][]} seconds since the click, and seconds received but not played */
    this.lead = [];
    /** @type {[number, number][]} and speech tokens whose sound was received */
    this.tokens = [];
    /** @type {[number, number][]} and free slots of T3 */
    this.slots = [];
  }

  /**
   * @param {number} atS
   * @param {number} receivedS of the sound of the utterance
   * @param {number} leadS of it, not played yet
   * @param {number} speed of the request: a second of sound at this speed has more tokens
   */
  position(atS, receivedS, leadS, speed) {
    add(this.lead, [atS, leadS]);
    add(this.tokens, [atS, Math.round(receivedS * TOKENS_PER_S * speed)]);
  }

  /** @param {number} atS @param {number} num free slots */
  slotsFree(atS, num) {
    add(this.slots, [atS, num]);
  }
}

/**
 * Of more than MAX_POINTS every second one is left out, but never the last.
 * @param {[number, number][]} points
 * @param {[number, number]} point
 */
function add(points, point) {
  points.push(point);
  if (points.length <= MAX_POINTS) return;
  const kept = points.filter((_, index) => index % 2 === (points.length - 1) % 2);
  points.splice(0, points.length, ...kept);
}
