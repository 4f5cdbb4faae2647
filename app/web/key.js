// The panel "API key": shown where the server asks for a key, or where another key may help. The
// key stays in the memory of the page: no storage, no URL, no form that a browser would keep.

import { element, labelled } from "./elements.js";

/** @typedef {import("./page.js").Page} Page */

const ASKED_FOR = ["no_api_key", "invalid_api_key"];
const MAY_HELP = ["role_missing", "rate_limit_exceeded"];  // another key

/**
 * @param {HTMLElement} root
 * @param {Page} page
 */
export function mount(root, page) {
  const key = element("input", {
    id: "key", type: "password", autocomplete: "off", spellcheck: "false", size: 40,
  });
  const onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault();
    void page.useKey(key.value.trim());
  };
  root.append(element("p", { class: "quiet" }, "The key stays in the memory of this page."),
    element("form", { class: "row", onsubmit }, labelled("Key", key),
      element("button", {}, "Use")));
  page.addEventListener("trouble", (event) => {
    const code = /** @type {CustomEvent} */ (event).detail.error?.code;
    if (![...ASKED_FOR, ...MAY_HELP].includes(code)) return;
    root.hidden = false;
    if (ASKED_FOR.includes(code)) key.focus();
  });
  page.addEventListener("connected", () => { root.hidden = true; });
}
