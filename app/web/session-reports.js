// The reports of what one utterance was to the server. Over the socket each take of the text is a
// session of its own, with an id that ends with its number (docs/websocket.md).

import { SpeechError } from "./speech-error.js";

const MAX_TAKES = 64;
const TRIES = 50;  // a report is whole a moment after the last message, later on a busy machine
const PAUSE_MS = 100;

/** @typedef {{session_id: string, finish: string|null, audio_sent_ms: number,
 *   marks: Record<string, number>}} SessionReport */

/**
 * The reports of the takes, in order; of a request without takes its own. Empty where the server
 * remembers none.
 *
 * @param {import("./client.js").SpeechClient} client
 * @param {string} sessionId of the context or the request; "": none
 * @returns {Promise<SessionReport[]>}
 */
export async function reportsOf(client, sessionId) {
  if (sessionId === "") return [];
  const takes = [];
  while (takes.length < MAX_TAKES) {
    const take = await endedReport(client, `${sessionId}-${takes.length}`);
    if (take == null) break;
    takes.push(take);
  }
  if (takes.length) return takes;
  const whole = await endedReport(client, sessionId);
  return whole == null ? [] : [whole];
}

/**
 * Null where there is none. What a process has not told after the last try is left out.
 * @param {import("./client.js").SpeechClient} client
 * @param {string} sessionId
 * @returns {Promise<SessionReport|null>}
 */
async function endedReport(client, sessionId) {
  let report = await reportOf(client, sessionId);
  for (let attempt = 1; attempt < TRIES && report !== null && !isWhole(report); attempt += 1) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    report = await reportOf(client, sessionId);
  }
  return report?.finish == null ? null : report;
}

/**
 * A cancel is acknowledged when T3 has stopped. The vocoder may tell that it has stopped later.
 * @param {SessionReport} report
 */
function isWhole({ finish, marks }) {
  const isStopped = "acknowledged" in marks && "vocoder_dropped" in marks;
  return finish !== null && (isStopped || !("cancel_received" in marks));
}

/**
 * @param {import("./client.js").SpeechClient} client
 * @param {string} sessionId
 * @returns {Promise<SessionReport|null>}
 */
async function reportOf(client, sessionId) {
  try {
    return await (await client.fetch(`v1/sessions/${sessionId}`)).json();
  } catch (error) {
    if (error instanceof SpeechError) return null;  // forgotten, or the server is away
    throw error;
  }
}
