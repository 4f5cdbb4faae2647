// Listening to events. Knows nothing about the document.

/**
 * Acts on each event of a kind with its `detail`.
 * @param {EventTarget} target
 * @param {string} kind
 * @param {(detail: any) => void} act
 * @param {AddEventListenerOptions} [options]
 */
export function listen(target, kind, act, options) {
  target.addEventListener(kind, (event) => {
    act(/** @type {CustomEvent} */ (event).detail);
  }, options);
}
