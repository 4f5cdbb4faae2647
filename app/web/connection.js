// The line below the title: how the page speaks with its server, where that is not the usual way.

/** @typedef {import("./page.js").Page} Page */

const OVER_EVENTS = "Sockets are forbidden on the way to this server. The page speaks over HTTP: a "
  + "text is sent as a whole, not word by word.";

/**
 * @param {HTMLElement} root with the role `status`
 * @param {Page} page
 */
export function mount(root, page) {
  page.addEventListener("utterance", (event) => {
    const { utterance } = /** @type {CustomEvent} */ (event).detail;
    utterance.addEventListener("started", () => {
      root.textContent = page.client.usesEvents ? OVER_EVENTS : "";
    });
  });
}
