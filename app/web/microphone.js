// The microphone of the browser, or why it cannot be used. Knows nothing about what is recorded.

/** @type {Record<string, string>} */
const CODES = {  // by the name of the browser's error
  NotAllowedError: "microphone_denied",
  NotFoundError: "microphone_missing",
  NotReadableError: "microphone_busy",
};

/** The microphone cannot be used; messages.js says why in plain words. */
export class MicrophoneError extends Error {
  /** @param {string} code */
  constructor(code) {
    super("the microphone cannot be used");
    this.name = "MicrophoneError";
    this.code = code;
  }
}

/**
 * @param {MediaTrackConstraints} wish
 * @returns {Promise<MediaStream>} rejects with a MicrophoneError
 */
export async function openMicrophone(wish) {
  if (!navigator.mediaDevices) throw new MicrophoneError("microphone_insecure");
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: wish });
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    throw new MicrophoneError(CODES[error.name] ?? "microphone_failed");
  }
}
