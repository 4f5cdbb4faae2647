// Bytes as base64, and back. Pure.

/** @param {string} base64 */
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/** @param {Uint8Array} bytes of some thousand at most */
export function base64Of(bytes) {
  return btoa(String.fromCharCode(...bytes));
}
