// Charts that a screen reader reads: bars are the rows of a table, and a line says its values in
// words. Knows nothing about speech.

import { drawing, element } from "./elements.js";

const WIDTH = 300;
const HEIGHT = 80;

/**
 * Bars in a table, each from `from` to `to` on one common scale. A short bar is still visible,
 * unless it is empty.
 *
 * @param {string} caption
 * @param {{name: string, from: number, to: number, told: string, isEmpty?: boolean}[]} rows
 * @returns {HTMLTableElement}
 */
export function barTable(caption, rows) {
  const begin = Math.min(0, ...rows.map((row) => row.from));
  const whole = Math.max(1e-9, ...rows.map((row) => row.to)) - begin;
  const share = (/** @type {number} */ value) => `${(100 * (value - begin)) / whole}%`;
  const body = rows.map((row) => {
    const bar = element("span", { class: "bar", hidden: row.isEmpty });
    bar.style.left = share(row.from);
    bar.style.width = share(row.to - row.from + begin);
    return element("tr", {},
      element("th", { scope: "row" }, row.name),
      element("td", { class: "track", "aria-hidden": "true" }, bar),
      element("td", { class: "number" }, row.told));
  });
  return element("table", { class: "bars" }, element("caption", {}, caption),
    element("tbody", {}, ...body));
}

/**
 * A line over time, with its lowest, highest and last value in words.
 *
 * @param {string} title
 * @param {[number, number][]} points seconds and values, in order of time
 * @param {(value: number) => string} told a value in words
 * @returns {HTMLElement}
 */
export function lineChart(title, points, told) {
  const last = points[points.length - 1];
  if (last === undefined) {
    return element("figure", { class: "line" }, element("figcaption", {}, `${title}: nothing yet`));
  }
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(0, ...values), Math.max(...values)];
  const [begin, end] = [points[0][0], last[0]];
  const x = (/** @type {number} */ at) => (WIDTH * (at - begin)) / Math.max(1e-9, end - begin);
  const y = (/** @type {number} */ value) => HEIGHT - (HEIGHT * (value - low)) / Math.max(1e-9, high - low);
  const line = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const words = `lowest ${told(Math.min(...values))}, highest ${told(high)}, `
    + `last ${told(last[1])}`;
  return element("figure", { class: "line" },
    element("figcaption", {}, `${title}: ${words}`),
    drawing("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none",
      "aria-hidden": "true" }, drawing("polyline", { points: line })),
    element("div", { class: "ends", "aria-hidden": "true" },
      element("span", {}, `${begin.toFixed(1)} s`), element("span", {}, `${end.toFixed(1)} s`)));
}

/**
 * How often values fall between round borders.
 *
 * @param {string} caption
 * @param {number[]} values milliseconds
 * @returns {HTMLTableElement}
 */
export function histogram(caption, values) {
  return barTable(caption, binned(values).map(({ from, to, count }) =>
    ({ name: `${from} to ${to} ms`, from: 0, to: count, told: String(count), isEmpty: !count })));
}

/**
 * Bins of one width, 1, 2 or 5 times a power of ten, at most 12 of them.
 *
 * @param {number[]} values
 * @returns {{from: number, to: number, count: number}[]}
 */
export function binned(values) {
  if (!values.length) return [];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const width = roundAbove(Math.max((high - low) / 10, 0.5));
  const first = Math.floor(low / width);
  const counts = new Array(Math.floor(high / width) - first + 1).fill(0);
  for (const value of values) counts[Math.floor(value / width) - first] += 1;
  const told = (/** @type {number} */ edge) => Number(((first + edge) * width).toPrecision(6));
  return counts.map((count, index) => ({ from: told(index), to: told(index + 1), count }));
}

/** @param {number} width */
function roundAbove(width) {
  const power = 10 ** Math.floor(Math.log10(width));
  const step = [1, 2, 5].find((each) => each * power >= width * (1 - 1e-9)) ?? 10;
  return step * power;
}

/**
 * The value below which a share of all values lies, by the nearest rank.
 *
 * @param {number[]} values
 * @param {number} share 0 to 1
 * @returns {number}
 */
export function quantile(values, share) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
