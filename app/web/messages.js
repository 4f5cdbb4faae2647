// What went wrong, in plain words: what happened, and what to do. Keyed by the code of the error.

/** @type {{[code: string]: string}} */
const MESSAGES = {
  server_gone: "The server does not answer. Check that it runs, then speak again.",
  connection_lost: "The connection to the server broke off. What came is kept. Speak again.",
  no_api_key: "This server needs an API key. Enter one above.",
  invalid_api_key: "The server does not know this API key. Enter another one.",
  role_missing: "This API key may not do that. Its roles do not include it.",
  loopback_only: "This server has no API keys, so it serves its own machine alone.",
  origin_not_allowed: "The server does not take requests of this page's address.",
  rate_limit_exceeded: "The quota of this API key is used up.",
  overloaded: "The server has no room for another speech now. Try again in a moment.",
  synthesis_failed: "The server could not finish this speech. What came is kept. Speak again.",
  unavailable: "A part of the server did not answer. Speak again in a moment.",
  internal_error: "The server failed. Speak again; the server's log has the details.",
  empty_input: "There is no text to speak.",
  unsupported_characters: "The model can read nothing of this text.",
  voice_not_found: "The server has no such voice. Choose another one.",
  microphone_denied:
    "The browser does not let this page use the microphone. Allow it for this page.",
  microphone_missing: "There is no microphone.",
  worklet_missing:
    "The browser plays sound as it comes only over HTTPS, or on the server's own machine.",
  worklet_failed: "The part of the page that plays sound could not be loaded. Reload the page.",
  audio_blocked: "The browser does not let this page play sound. Click Speak.",
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
