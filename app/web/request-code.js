// One request as code that runs by itself: curl, Python with OpenAI's SDK, JavaScript, and the
// socket. Pure. An API key is never written: the code reads it from CHATTERBOX_API_KEY, or names it.

const OF_SOCKET = ["max_buffer_ms"];
const OF_EVENTS = ["timestamps"];  // a stream of sound alone has no place for them
const OF_OPENAI = ["model", "voice", "input", "response_format", "speed"];

/**
 * @typedef {object} Request
 * @property {URL} url of the server
 * @property {boolean} needsKey
 * @property {string} model
 * @property {string} text
 * @property {Record<string, any>} options the fields of the message `start`
 */

/** @type {Record<string, (request: Request) => string>} by what the user chooses */
export const LANGUAGES = {
  curl: asCurl,
  "Python (OpenAI SDK)": asPython,
  JavaScript: asJavaScript,
  Socket: asSocket,
};

/** @param {Request} request */
export function asCurl(request) {
  const key = request.needsKey ? '  -H "Authorization: Bearer $CHATTERBOX_API_KEY" \\\n' : "";
  return `curl ${shellWord(new URL("v1/audio/speech", request.url).href)} \\\n`
    + `  -H 'Content-Type: application/json' \\\n${key}`
    + `  -d ${shellWord(JSON.stringify(bodyOf(request), null, 2))} \\\n`
    + "  -o speech.wav\n";
}

/** @param {Request} request */
export function asPython(request) {
  const fields = Object.entries(bodyOf(request));
  const own = fields.filter(([name]) => OF_OPENAI.includes(name));
  const extra = fields.filter(([name]) => !OF_OPENAI.includes(name));
  const key = request.needsKey ? 'os.environ["CHATTERBOX_API_KEY"]' : '"none"';
  const base = JSON.stringify(new URL("v1", request.url).href);
  const lines = own.map(([name, value]) => `    ${name}=${python(value)},\n`);
  if (extra.length) lines.push(`    extra_body=${python(Object.fromEntries(extra))},\n`);
  return `${request.needsKey ? "import os\n\n" : ""}from openai import OpenAI\n\n`
    + `client = OpenAI(base_url=${base}, api_key=${key})\n`
    + `with client.audio.speech.with_streaming_response.create(\n${lines.join("")}) as response:\n`
    + '    response.stream_to_file("speech.wav")\n';
}

/** @param {Request} request */
export function asJavaScript(request) {
  const key = request.needsKey ? ', "Authorization": `Bearer ${key}`' : "";
  const url = JSON.stringify(new URL("v1/audio/speech", request.url).href);
  return `${noteOf(request)}const answer = await fetch(${url}, {\n  method: "POST",\n`
    + `  headers: {"Content-Type": "application/json"${key}},\n`
    + `  body: JSON.stringify(${indented(JSON.stringify(bodyOf(request), null, 2))}),\n});\n`
    + "if (!answer.ok) throw new Error(await answer.text());\n"
    + "const sound = await answer.blob();  // a WAV file\n";
}

/** @param {Request} request */
export function asSocket(request) {
  const { url, needsKey, text, options } = request;
  const socket = new URL("v1/audio/speech/stream", url);
  socket.protocol = socket.protocol.replace("http", "ws");
  const key = needsKey ? ', ["chatterbox", `chatterbox.key.${key}`]' : "";
  return `${noteOf(request)}const socket = new WebSocket(${JSON.stringify(socket.href)}${key});\n`
    + "const send = (type, fields = {}) =>\n"
    + '  socket.send(JSON.stringify({type, context_id: "turn-1", ...fields}));\n'
    + "socket.onopen = () => {\n"
    + `  send("start", ${indented(JSON.stringify(options, null, 2))});\n`
    + `  send("text", {text: ${JSON.stringify(text)}});\n`
    + '  send("close");\n};\n'
    + "const sound = [];  // base64 of 16 bit samples\n"
    + "const end = await new Promise((resolve) => {\n"
    + "  socket.onmessage = ({data}) => {\n"
    + "    const message = JSON.parse(data);\n"
    + '    if (message.type === "audio") sound.push(message.audio);\n'
    + '    if (["done", "cancelled", "error"].includes(message.type)) resolve(message);\n'
    + "  };\n});\n"
    + '// The listener interrupts: send("cancel", {played_ms: 980});\n';
}

/** @param {Request} request */
function noteOf({ needsKey }) {
  return needsKey ? "// `key` is your API key.\n" : "";
}

/** The body of POST /v1/audio/speech. @param {Request} request */
function bodyOf({ model, text, options }) {
  const left = Object.entries(options).filter(([name]) =>
    ![...OF_SOCKET, ...OF_EVENTS, "audio"].includes(name));
  return { model, input: text, ...Object.fromEntries(left), response_format: "wav" };
}

/** @param {string} text */
function shellWord(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A value of JSON as Python writes it. @param {any} value @returns {string} */
function python(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const items = Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${python(each)}`);
  return `{${items.join(", ")}}`;
}

/** @param {string} json */
function indented(json) {
  return json.replaceAll("\n", "\n  ");
}
