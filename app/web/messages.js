// What went wrong, in plain words: what happened, and what to do. Keyed by the code of the error.

const UNFINISHED = "The server could not finish this speech. What came is kept. Speak again.";
const NO_ROOM = "The server has no room for another speech now. Try again in a moment.";
const AWAY = "A part of the server did not answer. Speak again in a moment.";
const UNHEARD = "The server did not understand what you said. Say it again.";
const NO_HEARING = "The server does not hear now. It tries again with what you say next.";

/** @type {{[code: string]: string}} */
const MESSAGES = {
  server_gone: "The server does not answer. Check that it runs, then speak again.",
  socket_forbidden: "Sockets are forbidden on the way to this server. A conversation needs one.",
  connection_lost: "The connection to the server broke off. What came is kept. Speak again.",
  no_api_key: "This server needs an API key. Enter one above.",
  invalid_api_key: "The server does not know this API key. Enter another one.",
  role_missing: "This API key may not do that. Its roles do not include it.",
  loopback_only: "This server has no API keys, so it serves its own machine alone.",
  origin_not_allowed: "The server does not take requests of this page's address.",
  rate_limit_exceeded: "The quota of this API key is used up.",
  overloaded: NO_ROOM,
  server_full: NO_ROOM,
  draining: "The server is about to end, and begins nothing more. Speak again in a moment.",
  model_unloaded: "The server loads its model. Speak again in a moment.",
  synthesis_failed: UNFINISHED,
  replica_lost: UNFINISHED,
  no_audio: UNFINISHED,
  timeout: UNFINISHED,
  out_of_memory: UNFINISHED,
  unavailable: AWAY,
  cluster_away: AWAY,
  storage_unavailable: AWAY,
  not_enrolled: "The server could not prepare this voice. Speak again in a moment.",
  internal_error: "The server failed. Speak again; the server's log has the details.",
  empty_input: "There is no text to speak.",
  unsupported_characters: "The model can read nothing of this text.",
  voice_not_found: "The server has no such voice. Choose another one.",
  microphone_denied:
    "The browser does not let this page use the microphone. Allow it for this page.",
  microphone_missing: "There is no microphone.",
  microphone_busy: "The microphone cannot be opened. Another program may use it.",
  microphone_failed: "The microphone cannot be used.",
  microphone_lost: "The microphone was taken away. Connect it, then talk again.",
  microphone_insecure:
    "The browser gives the microphone only over HTTPS, or on the server's own machine.",
  worklet_missing:
    "The browser plays sound as it comes only over HTTPS, or on the server's own machine.",
  worklet_failed: "The part of the page that plays sound could not be loaded. Try again.",
  audio_blocked: "The browser does not let this page play sound. Click Speak.",
  hearing_off: "This server does not hear.",
  hearing_unavailable: NO_HEARING,
  hearing_lost: NO_HEARING,
  hearing_late: "The server hears too slowly now. Pause for a moment, then go on.",
  input_audio_too_fast: "The microphone's sound came in a rush. A part of it was not heard.",
  recogniser_died: UNHEARD,
  recogniser_hung: UNHEARD,
  recogniser_late: UNHEARD,
  recogniser_failed: UNHEARD,
  utterance_too_long: UNHEARD,
  llm_unreachable: "The server's language model does not answer. Its operator has to look after it.",
  llm_refused: "The server's language model refused to answer.",
  llm_timeout: "The server's language model took too long. Say it again.",
  llm_cut_off: "The server's language model broke off its answer. Say it again.",
  llm_invalid: "The server's language model gave no proper answer. Say it again.",
  llm_too_long: "The server's language model did not come to an end. Say it again.",
  conversation_full: "The conversation is too long to go on. End it, then talk again.",
  unsupported_content: "The server did not understand what the page sent.",
  conversation_idle: "Nothing was said for a long time, so the server ended the conversation.",
  conversation_expired: "The conversation has reached the server's longest time. Talk again.",
  conversation_stopped: "The conversation was stopped on the server.",
};

/** Codes whose own message says more than ours could: which field is wrong, and how. */
const TOLD_BY_SERVER = new Set([
  "unsupported_characters", "rate_limit_exceeded", "voice_not_found",
]);

/**
 * @param {unknown} error
 * @returns {string}
 */
export function messageOf(error) {
  const { code, message, retryAfterS } = /** @type {any} */ (error ?? {});
  const plain = MESSAGES[code];
  const later = retryAfterS ? ` Try again in ${retryAfterS} s.` : "";
  if (plain === undefined) return `${message ?? "Something failed."}${later}`;
  if (TOLD_BY_SERVER.has(code) && message) return `${plain} (${message})${later}`;
  return plain + later;
}
