// What went wrong, with a code that programs may match on: the server's own (docs/api.md), and
// `server_gone`, `socket_forbidden`, `connection_lost` of this client.

export class SpeechError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{status?: number, param?: string|null, retryAfterS?: number|null}} [more]
   */
  constructor(code, message, { status = 0, param = null, retryAfterS = null } = {}) {
    super(message);
    this.name = "SpeechError";
    this.code = code;
    this.status = status;
    this.param = param;
    this.retryAfterS = retryAfterS;
  }
}

/**
 * @param {{code: string, message: string, param?: string|null}} told the value of `error`
 */
export function errorOfMessage(told) {
  return new SpeechError(told.code, told.message, { param: told.param ?? null });
}

/**
 * @param {Response} answer with a status of 400 or more
 */
export async function errorOfAnswer(answer) {
  const status = answer.status;
  const retryAfterS = Number(answer.headers.get("Retry-After")) || null;
  try {
    const { error } = await answer.json();
    return new SpeechError(error.code, error.message, { status, param: error.param, retryAfterS });
  } catch {  // the answer of a proxy in front
    return new SpeechError("http_error", `the server answered ${status}`, { status, retryAfterS });
  }
}
