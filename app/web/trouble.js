// The panel that says what went wrong, in plain words. It is empty while nothing is wrong.

/** @typedef {import("./page.js").Page} Page */

/**
 * @param {HTMLElement} root with the role `alert`
 * @param {Page} page
 */
export function mount(root, page) {
  page.addEventListener("trouble", (event) => {
    const { message, error } = /** @type {CustomEvent} */ (event).detail;
    root.textContent = message;
    root.dataset.code = error?.code ?? "";
  });
  page.addEventListener("calm", () => {
    root.textContent = "";
    delete root.dataset.code;
  });
}
