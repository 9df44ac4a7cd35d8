// What is checked before a component is built, and what is written for it.

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { BuildError, load, worldOf } from "../src/build.js";

// Beside the package, so that modules find it.
const folder = mkdtempSync(path.join(tmpdir(), "sandbar-tool-test-"));

function module(name, text) {
  const file = path.join(folder, name);
  writeFileSync(file, text.replaceAll('"sandbar-tool"', JSON.stringify(path.resolve(import.meta.dirname, "../src/index.js"))));
  return file;
}

const TOOL = 'import { defineComponent, defineTool } from "sandbar-tool";\nconst tool = defineTool({ name: "a", description: "b", run: () => "c" });\n';

test("the world is what the component asks for", async () => {
  const file = module("good.ts", `${TOOL}const uses: "health"[] = ["health"];\nexport default defineComponent({ uses, tools: [tool] });\n`);
  const imports = ["tool/context", "tool/logging", "kubernetes/health"].map((name) => `  import sandbar:${name}@0.1.0;\n`);
  assert.equal(await worldOf(file), `package sandbar:guest;\n\nworld sandbar-guest {\n${imports.join("")}  export sandbar:tool/tools@0.1.0;\n}\n`);
});

test("a module without a component is refused in words", async () => {
  for (const [name, text, words] of [
    ["none.js", "export const x = 1;\n", "has to export a component: export default defineComponent({ ... })"],
    ["empty.js", `${TOOL}export default defineComponent({});\n`, "serves nothing: it needs `tools`"],
    ["syntax.js", "export default {\n", "syntax.js:2:1: Expected identifier but found end of file"],
    ["missing.js", 'import "nowhere";\n', 'missing.js:1:8: Could not resolve "nowhere"'],
  ]) {
    await assert.rejects(load(module(name, text)), (error) => error instanceof BuildError && error.message.includes(words));
  }
});
