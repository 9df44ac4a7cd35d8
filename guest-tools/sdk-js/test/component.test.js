// What a component serves, and what it refuses to be.

import assert from "node:assert/strict";
import { test } from "node:test";

import { defineComponent, defineTool, HostError, list, pageOf, told, withItems } from "sandbar-tool";
import { Cluster } from "sandbar-tool/testing";

const measure = defineTool({
  name: "measure",
  description: "How long a word is.",
  input: { properties: { word: { type: "string" } }, required: ["word"] },
  output: { type: "object", properties: { length: { type: "integer" } } },
  run({ word }) {
    if (!word) throw new Error("word is required");
    return told(`It has "${word.length}".`, { length: word.length });
  },
});

const component = defineComponent({
  rules: [{ apiGroups: [""], resources: ["pods/log"], verbs: ["get"] }],
  settings: { properties: { longest: { type: "integer" } } },
  uses: ["health"],
  tools: [measure],
  prompts: [{ name: "greet", description: "Greets.", arguments: [{ name: "name", required: true }], run: ({ name }) => `Hello ${name}` }],
  resources: [
    { uri: "words://of/{word}.md", name: "one", description: "One word.", mimeType: "text/markdown", read: ({ word }) => (word === "none" ? undefined : `about ${word}`) },
    { uri: "words://of/sand.md", name: "sand", description: "Sand.", read: () => "sand itself" },
  ],
});

test("the manifest names all of it", () => {
  assert.deepEqual(JSON.parse(JSON.stringify(component.manifest())), {
    tools: [
      {
        name: "measure",
        description: "How long a word is.",
        inputSchema: { type: "object", properties: { word: { type: "string" } }, additionalProperties: false, required: ["word"] },
        outputSchema: { type: "object", properties: { length: { type: "integer" } } },
        annotations: { readOnlyHint: true, openWorldHint: true },
      },
    ],
    prompts: [{ name: "greet", description: "Greets.", arguments: [{ name: "name", required: true }] }],
    resources: [{ uri: "words://of/sand.md", name: "sand", description: "Sand.", mimeType: "text/plain" }],
    resourceTemplates: [{ uriTemplate: "words://of/{word}.md", name: "one", description: "One word.", mimeType: "text/markdown" }],
    rules: [{ apiGroups: [""], resources: ["pods/log"], verbs: ["get"] }],
    settings: { type: "object", properties: { longest: { type: "integer" } }, additionalProperties: false },
  });
  assert.deepEqual(Object.keys(defineComponent({ tools: [measure] }).manifest()).filter((key) => key !== "settings"), ["tools"]);
});

test("a component imports what it asks for", () => {
  const imports = (component) => component.imports().map((name) => name.split("/")[1]);
  assert.deepEqual(imports(component), ["context", "logging", "logs", "logs-many", "health"]);
  const nodes = defineComponent({ clusterRules: [{ apiGroups: [""], resources: ["nodes"], verbs: ["get"] }], uses: ["caller", "discovery"] });
  assert.deepEqual(imports(nodes), ["context", "logging", "read", "table", "read-many", "caller", "discovery"]);
  assert.deepEqual(imports(defineComponent({})), ["context", "logging"]);
  assert.deepEqual(component.exports(), ["sandbar:tool/tools", "sandbar:tool/prompts", "sandbar:tool/resources"]);
});

test("tools, prompts and resources answer in MCP's forms", () => {
  const cluster = new Cluster();
  assert.deepEqual(cluster.result(component, "measure", { word: "sand" }), {
    content: [{ type: "text", text: 'It has "4".' }],
    structuredContent: { length: 4 },
  });
  assert.deepEqual(cluster.prompt(component, "greet", { name: "Ann" }), [{ role: "user", text: "Hello Ann" }]);
  assert.equal(cluster.resource(component, "words://of/b%20r.md"), "about b r");
  assert.equal(cluster.resource(component, "words://of/sand.md"), "sand itself");
  assert.equal(cluster.resource(component, "words://of/none.md"), undefined);
});

test("what cannot run says why", () => {
  for (const [call, words] of [
    [() => component.call("measure", '{"word":""}'), "word is required"],
    [() => component.call("weigh", "{}"), "this component has no tool `weigh`"],
    [() => component.get("measure", "{}"), "this component has no prompt `measure`"],
    [() => component.read("words://else"), "this component has no resource `words://else`"],
    [() => defineTool({ name: "a" }), "a tool has a `name` and a `description`"],
    [() => defineTool({ name: "a", description: "b" }), "the tool a has no function `run`"],
    [() => defineTool({ name: "a", description: "b", run: async () => "" }), "`run` of the tool a is async, and the host waits for no other function than a plain one"],
    [() => defineComponent({ uses: ["network"] }), 'uses: "network"; the possible ones are caller, discovery, health'],
    [() => defineComponent({ tools: [measure, measure] }), "there are two of the tool measure"],
    [() => list("pods"), "nothing answers here: outside of a component, call the tool through the Cluster of sandbar-tool/testing"],
  ]) {
    assert.throws(call, { message: words });
  }
  for (const [answer, words] of [
    [undefined, "and this one has answered nothing"],
    [7, "and this one has answered 7"],
    [[1], "and this one has answered [1]"],
    [Promise.resolve({}), "a has answered a promise, and the host does not wait for one"],
  ]) {
    const odd = defineComponent({ tools: [defineTool({ name: "a", description: "b", run: () => answer })] });
    assert.throws(() => odd.call("a", "{}"), (error) => error instanceof TypeError && error.message.includes(words));
  }
});

test("an error of the host says how long to wait", () => {
  const error = new HostError({ code: "throttled", message: "the API server asks to wait", retryAfterMs: 1200 });
  assert.equal(error.words, "the API server asks to wait (try again in 2 s)");
  assert.equal(new HostError({ code: "denied", message: "no", retryAfterMs: null }).retryAfterMs, undefined);
});

test("a page keeps where it goes on, and says nothing of warnings that are none", () => {
  const page = withItems({ items: [1], continue: "next", remaining: undefined, warnings: [] }, ["1"]);
  assert.equal(JSON.stringify(page), '{"items":["1"],"continue":"next"}');
  assert.deepEqual(withItems({ items: [], warnings: ["slow"] }, []).warnings, ["slow"]);
  assert.deepEqual(pageOf({ type: "string" }).properties.items, { type: "array", items: { type: "string" } });
});
