// What Kubernetes writes as text.

import assert from "node:assert/strict";
import { test } from "node:test";

import { age, quantity } from "sandbar-tool";
import { Cluster } from "sandbar-tool/testing";

const NOW = new Date("2026-11-30T00:00:00Z");
const DAY = 86400;

test("ages are those of kubectl", () => {
  for (const [seconds, words] of [
    [-5, "0s"], [0, "0s"], [119, "119s"], [120, "2m"], [605, "10m"], [599, "9m59s"], [10799, "179m"], [10800, "3h"], [4 * 3600 + 720, "4h12m"], [47 * 3600, "47h"],
    [2 * DAY, "2d"], [8 * DAY - 1, "7d23h"], [8 * DAY, "8d"], [730 * DAY, "2y"], [1096 * DAY, "3y1d"], [9 * 365 * DAY, "9y"],
  ]) {
    const then = new Date(NOW.getTime() - seconds * 1000);
    new Cluster().at(NOW).answering(undefined, () => {
      assert.equal(age(then), words);
      assert.equal(age(then.toISOString()), words);
    });
  }
  assert.equal(age("soon"), undefined);
});

test("quantities are numbers", () => {
  for (const [text, amount] of [
    ["250m", 0.25], ["1.5", 1.5], ["1Gi", 2 ** 30], ["129M", 129e6], ["1e3", 1000], ["-1k", -1000], [".5", 0.5], [" 2 ", 2], ["100n", 1e-7], ["1E", 1e18], ["1Ei", 2 ** 60],
    ["", undefined], ["1.5.2", undefined], ["m", undefined], ["1Q", undefined], ["1ki", undefined], ["1K", undefined], ["9".repeat(65), undefined], ["NaN", undefined],
  ]) {
    assert.equal(quantity(text), amount, text);
  }
});
