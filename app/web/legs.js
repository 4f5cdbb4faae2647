// The legs of a session's report: which marks they lie between, and where they stand on one clock.
// Pure. app/sessions/timeline.py has the same table for the server, and a test compares the two.

/**
 * Legs until the first sound, in the order of time: name, marks at both ends, what it is.
 * @type {[string, string, string, string][]}
 */
export const FIRST_SOUND = [
  ["claim", "received", "claimed", "the registry grants the id"],
  ["to_vocoder", "claimed", "conditioned", "to the vocoder, and its voice is ready"],
  ["to_t3", "conditioned", "queued", "to T3, which makes the speech tokens"],
  ["queue", "queued", "prefill", "waits for a slot"],
  ["first_tokens", "prefill", "first_token", "T3 makes the first tokens"],
  ["first_cell", "first_token", "first_cell", "the vocoder makes the first sound of them"],
  ["hold", "first_cell", "released", "is held until the rest follows without a gap"],
  ["to_proxy", "released", "first_byte", "to the proxy"],
];

/**
 * Legs of a cancel. Some run at the same time.
 * @type {[string, string, string, string][]}
 */
export const CANCEL = [
  ["cancel_to_registry", "cancel_received", "cancel_logged", "the registry knows of the cancel"],
  ["cancel_to_t3", "cancel_logged", "t3_told", "T3 knows of it"],
  ["cancel_last_step", "t3_told", "t3_stopped", "T3 ends its running step"],
  ["cancel_engine", "cancel_received", "t3_stopped", "T3 has stopped, and its slot is free"],
  ["cancel_vocoder", "cancel_received", "vocoder_dropped", "the vocoder has stopped"],
  ["cancel_silence", "cancel_received", "audio_stopped", "the server sends no more sound"],
  ["cancel_ack", "cancel_received", "acknowledged", "the cancel is acknowledged"],
];

/**
 * Legs of a voice that interrupts an answer: name, what it is. All but the first begin when the
 * voice is noticed, and run at the same time.
 * @type {[string, string][]}
 */
export const BARGE_IN = [
  ["notice", "the server notices the voice"],
  ["silence", "it writes no more sound"],
  ["tts_sent", "the cancel goes to the speech"],
  ["tts_ack", "T3 and the vocoder have stopped"],
  ["recogniser_abort", "the recogniser has seen the abort"],
  ["recogniser_free", "the recogniser has dropped what it heard before"],
  ["socket", "the connection that carried the speech is closed"],
  ["llm", "the language model has stopped"],
  ["listening", "the recogniser hears the interruption"],
];

/**
 * The legs of a chain that were told, with 0 where the voice is noticed.
 *
 * @param {[string, string][]} legs BARGE_IN
 * @param {Record<string, number>} legsMs by name
 * @returns {{name: string, meaning: string, fromMs: number, toMs: number}[]}
 */
export function placedChain(legs, legsMs) {
  return legs.filter(([name]) => name in legsMs).map(([name, meaning]) => {
    const isBefore = name === "notice";
    const ms = legsMs[name];
    return { name, meaning, fromMs: isBefore ? -ms : 0, toMs: isBefore ? 0 : ms };
  });
}

/**
 * The legs of which the report has both marks.
 *
 * @param {[string, string, string, string][]} legs FIRST_SOUND or CANCEL
 * @param {Record<string, number>} marks seconds on the server's clock
 * @returns {{name: string, meaning: string, fromMs: number, toMs: number}[]} milliseconds from the
 *   first mark of the first leg
 */
export function placed(legs, marks) {
  const known = legs.filter(([, begin, end]) => begin in marks && end in marks);
  if (!known.length) return [];
  const origin = marks[known[0][1]];
  return known.map(([name, begin, end, meaning]) => ({
    name,
    meaning,
    fromMs: (marks[begin] - origin) * 1000,
    toMs: (marks[end] - origin) * 1000,
  }));
}

/**
 * Seconds until the last sound was made, per second of sound; null where that is not known.
 *
 * @param {{marks: Record<string, number>, audio_sent_ms: number}[]} takes reports, in order
 * @returns {number|null}
 */
export function realTimeFactor(takes) {
  const soundMs = takes.reduce((sum, take) => sum + take.audio_sent_ms, 0);
  let workMs = 0;
  for (const { marks } of takes) {
    if (!("received" in marks && "last_cell" in marks)) return null;
    workMs += (marks.last_cell - marks.received) * 1000;
  }
  return soundMs > 0 ? workMs / soundMs : null;
}
