// The tool that the README shows.

import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";

import { Cluster } from "sandbar-tool/testing";

test("the tool of the README answers", async (context) => {
  const [, code] = /```js\n(.*?)```/s.exec(readFileSync(new URL("../README.md", import.meta.url), "utf8"));
  // Beside the tests, from where it finds the package.
  const file = new URL("readme-tool.js", import.meta.url);
  context.after(() => rmSync(file));
  writeFileSync(file, code);
  const { default: component } = await import(file.href);
  const web = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace: "team-a" }, spec: { replicas: 3 } };
  assert.deepEqual(new Cluster().add(web).call(component, "list_deployments"), { items: [{ name: "web", namespace: "team-a", replicas: 3 }] });
});
