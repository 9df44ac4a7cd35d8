// The exports of a component: what a model reads of what is thrown, and what the log has.

import assert from "node:assert/strict";
import { test } from "node:test";

import { defineComponent, defineTool } from "sandbar-tool";

import { exportsOf } from "../src/guest.js";
import { original } from "../src/stacks.js";

const said = [];
const interfaces = { context: { setting: () => null }, logging: { log: (level, message) => said.push([level, message]) } };
const none = () => ({ sources: [], mappings: "" });

function words(run) {
  const component = defineComponent({ tools: [defineTool({ name: "odd", description: "Odd.", run })] });
  try {
    return exportsOf(component, "{}", interfaces, none).tools.call("odd", "{}");
  } catch (thrown) {
    return thrown;
  }
}

test("an error that is meant is told as it is, and nothing is logged", () => {
  said.length = 0;
  assert.equal(words(() => { throw new Error("say which namespace"); }), "say which namespace");
  assert.equal(words(() => { throw "say which namespace"; }), "say which namespace");
  assert.deepEqual(said, []);
});

test("a fault is logged and told in short", () => {
  said.length = 0;
  assert.equal(words(() => null.length).startsWith("odd has a fault: TypeError: "), true);
  assert.equal(words(() => { throw { a: 1 }; }), 'odd has a fault: it has thrown {"a":1}; the server\'s log has the stack');
  assert.ok(words(() => { throw new RangeError("x".repeat(1000)); }).length < 300);
  assert.ok(words(() => { throw new TypeError("odd", { cause: new Error("why") }); }).includes("TypeError: odd"));
  assert.deepEqual(said.map(([level]) => level), ["error", "error", "error", "error"]);
  assert.ok(said[2][1].includes("x".repeat(1000)) && said[3][1].endsWith("caused by Error: why"));
});

test("stacks are in the lines of the sources", () => {
  // Line 1 is of the first source, from line 1 on; line 2 has two places in the second, line 3 column 5 and line 4 column 1.
  const map = { sources: ["src/a.js", "src/b.js", null], mappings: "AAAA;ACEI,UACJ;ACAA" };
  const stack = "    at one (bundle.js:1:9)\n    at two (bundle.js:2:3)\n    at <anonymous> (bundle.js:2:12)\n    at ours (bundle.js:3:1)\n    at native\n";
  assert.deepEqual(original(stack, map), ["one (src/a.js:1:1)", "two (src/b.js:3:5)", "src/b.js:4:1"]);
});
