// A text in the pieces in which a language model would write it.

const PAUSE_MS = 40;  // 25 words in a second

/**
 * Words, each with the space before it.
 * @param {string} text
 * @returns {AsyncGenerator<string>}
 */
export async function* piecesOf(text) {
  for (const piece of text.match(/\s*\S+\s*$|\s*\S+/g) ?? []) {
    yield piece;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
