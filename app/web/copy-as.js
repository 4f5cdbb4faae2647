// The panel "Copy as": the request that the form would send, as code.

import { button, element, labelled } from "./elements.js";
import { LANGUAGES } from "./request-code.js";
import { servedModel } from "./served-model.js";

/** @typedef {import("./page.js").Page} Page */

/**
 * @param {HTMLElement} root
 * @param {Page} page
 */
export function mount(root, page) {
  let model = "tts-1";  // means the served model, until its name is known
  const language = element("select", {},
    ...Object.keys(LANGUAGES).map((name) => element("option", { value: name }, name)));
  const code = element("code");
  const shown = element("pre", { tabindex: 0, "aria-label": "The request as code" }, code);
  const state = element("span", { class: "quiet", role: "status" });
  const copy = button("Copy", async () => { state.textContent = await copied(shown); });
  root.append(element("div", { class: "row" }, labelled("Language", language), copy, state), shown);

  const show = () => {
    state.textContent = "";
    const { text, options } = page.read();
    code.textContent = LANGUAGES[language.value](
      { url: page.client.url, needsKey: page.client.key !== "", model, text, options });
  };
  const learn = async () => {
    model = (await servedModel(page.client))?.id ?? model;
    show();
  };
  language.addEventListener("change", show);
  document.addEventListener("input", show);
  document.addEventListener("change", show);
  page.addEventListener("connected", learn);
  page.addEventListener("voices", show);
  show();
  learn();
}

/** @param {HTMLElement} shown @returns {Promise<string>} what to tell the user */
async function copied(shown) {
  try {
    await navigator.clipboard.writeText(shown.textContent);
    return "Copied.";
  } catch {  // no clipboard for a page of this address, or the user has denied it
    getSelection()?.selectAllChildren(shown);
    return "The code is selected. Copy it with your keyboard.";
  }
}
