// What Kubernetes writes as text: points in time, and amounts.

import { now } from "./context.js";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** Ages below a number of seconds are told in a unit, and, where it is shown, the next smaller one; as kubectl does. */
const AGES = [
  [2 * MINUTE, 1, "s"],
  [10 * MINUTE, MINUTE, "m", 1, "s"],
  [3 * HOUR, MINUTE, "m"],
  [8 * HOUR, HOUR, "h", MINUTE, "m"],
  [2 * DAY, HOUR, "h"],
  [8 * DAY, DAY, "d", HOUR, "h"],
  [2 * YEAR, DAY, "d"],
  [8 * YEAR, YEAR, "y", DAY, "d"],
  [Infinity, YEAR, "y"],
];

const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE])|([KMGTPE])i|[eE]([+-]?\d{1,3}))?$/;
const TENS = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** Characters of a quantity at most: more digits than matter. */
const QUANTITY_MAX = 64;

/** How long ago that is in the running call, as kubectl writes it; undefined where the text says no time. */
export function age(since) {
  const then = new Date(since).getTime();
  if (Number.isNaN(then)) return undefined;
  // What is still to come is `0s`: clocks differ.
  const seconds = Math.max(Math.floor((now().getTime() - then) / 1000), 0);
  const [, unit, letter, smaller, small] = AGES.find(([below]) => seconds < below);
  const rest = smaller ? Math.floor((seconds % unit) / smaller) : 0;
  return `${Math.floor(seconds / unit)}${letter}${rest ? `${rest}${small}` : ""}`;
}

/** An amount of processors, bytes or pods; undefined where the text says none. */
export function quantity(text) {
  const match = text.length <= QUANTITY_MAX ? QUANTITY.exec(text.trim()) : null;
  if (!match) return undefined;
  const [, number, decimal, binary, exponent] = match;
  if (binary) return Number(number) * 1024 ** ("KMGTPE".indexOf(binary) + 1);
  // As text, so that 0.1 stays 0.1.
  return Number(`${number}e${decimal ? TENS[decimal] : (exponent ?? 0)}`);
}
