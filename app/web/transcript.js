// What both sides of a conversation have said, line by line, as the server tells it. Pure.

const MAX_LINES = 100;

/** @typedef {{id: string, speaker: "you"|"server", text: string, isCut: boolean}} Line */

export class Transcript {
  /** @type {Line[]} in order of their beginning */
  lines = [];

  /**
   * Adds text to the line of an item, which this may begin.
   * @param {string} id of the item
   * @param {"you"|"server"} speaker
   * @param {string} text
   */
  append(id, speaker, text) {
    this.set(id, speaker, (this.#find(id)?.text ?? "") + text);
  }

  /**
   * What the line of an item says. A line that would begin without a word does not.
   * @param {string} id
   * @param {"you"|"server"} speaker
   * @param {string} text
   */
  set(id, speaker, text) {
    const line = this.#find(id);
    if (line) line.text = text;
    else if (text.trim() !== "") this.lines.push({ id, speaker, text, isCut: false });
    this.lines.splice(0, this.lines.length - MAX_LINES);
  }

  /** The listener has interrupted it. @param {string} id */
  cut(id) {
    const line = this.#find(id);
    if (line) line.isCut = true;
  }

  /** @param {string} id */
  #find(id) {
    return this.lines.find((line) => line.id === id);
  }
}
