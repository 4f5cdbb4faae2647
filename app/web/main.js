// Mounts the panels. Each panel is a module with `mount(root, page)`: `root` is the section of the
// document with the panel's name, `page` is what all panels share (page.js).

import { mount as mountBargeIn } from "./barge-in.js";
import { mount as mountConnection } from "./connection.js";
import { mount as mountCopyAs } from "./copy-as.js";
import { mount as mountDownload } from "./download.js";
import { mount as mountKey } from "./key.js";
import { Page } from "./page.js";
import { mount as mountSpeak } from "./speak.js";
import { mount as mountStopped } from "./stopped.js";
import { mount as mountTalk } from "./talk.js";
import { mount as mountTimeline } from "./timeline.js";
import { mount as mountTrouble } from "./trouble.js";
import { mount as mountVoices } from "./voices.js";
import { mount as mountWaveform } from "./waveform.js";
import { mount as mountWords } from "./words.js";

const PANELS = {  // by the id of the section, without `panel-`; each may use what those before made
  trouble: mountTrouble,
  key: mountKey,
  speak: mountSpeak,
  words: mountWords,
  stopped: mountStopped,
  timeline: mountTimeline,
  waveform: mountWaveform,
  download: mountDownload,
  "copy-as": mountCopyAs,
  talk: mountTalk,
  voices: mountVoices,
  "barge-in": mountBargeIn,
};

const page = new Page();
mountConnection(/** @type {HTMLElement} */ (document.getElementById("server")), page);
for (const [name, mount] of Object.entries(PANELS)) {
  const root = document.getElementById(`panel-${name}`);
  if (root !== null) mount(root, page);
}
if (await page.loadVoices()) await page.prepare();
document.body.dataset.ready = "true";
export { page };
