// The tool over the objects of fixture.json, without a component: the Cluster plays the host.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Cluster } from "sandbar-tool/testing";

import component from "../src/tool.js";

const cluster = () => new Cluster().load(new URL("fixture.json", import.meta.url));
const pods = ({ items }) => items.map(({ pod }) => pod);

test("containers that were restarted often are listed", () => {
  assert.deepEqual(cluster().call(component, "my_tool"), {
    items: [
      { namespace: "team-a", pod: "calm", container: "app", restarts: 4 },
      { namespace: "team-b", pod: "wild", container: "app", restarts: 5 },
    ],
  });
});

test("the operator says how many are many", () => {
  assert.deepEqual(pods(cluster().setting("threshold", 5).call(component, "my_tool")), ["wild"]);
});

test("a namespace narrows it", () => {
  assert.deepEqual(pods(cluster().call(component, "my_tool", { namespace: "team-a" })), ["calm"]);
});

test("what the host refuses is told as it is", () => {
  const refusing = cluster().fails("pods", "throttled", "the API server asks to wait");
  assert.throws(() => refusing.call(component, "my_tool"), /the API server asks to wait/);
});
