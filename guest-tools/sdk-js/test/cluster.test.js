// The cluster for tests, and the reads over it.

import assert from "node:assert/strict";
import { test } from "node:test";

import * as sandbar from "sandbar-tool";
import { Cluster } from "sandbar-tool/testing";

import { install } from "../src/host.js";

const pod = (name, { app = "web", node = "n", namespace = "team-a" } = {}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, labels: { app }, annotations: { "example.com/a": "1" }, managedFields: [] },
  spec: { nodeName: node, containers: [{ name: "a", image: "i" }, { name: "b" }] },
});

const made = () => new Cluster().add(pod("a"), pod("b", { node: "m" }), pod("c", { app: "db" }), pod("d", { namespace: "team-b" }));
const names = ({ items }) => items.map(({ metadata }) => metadata.name).join("");
const within = (run, cluster = made()) => cluster.answering(undefined, run);
const code = (run, cluster) => within(() => { try { run(); } catch (error) { return error.code; } }, cluster);

test("label selectors choose", () => {
  for (const [labels, found] of [
    ["app=web", "ab"], ["app==web", "ab"], ["app!=web", "c"], ["app in (web, db),app!=db", "ab"], ["app notin (web)", "c"], ["app", "abc"], ["!app", ""],
  ]) {
    assert.equal(names(within(() => sandbar.list("pods", { namespace: "team-a", labels }))), found, labels);
  }
});

test("scopes, field selectors and pages choose", () => {
  within(() => {
    assert.equal(names(sandbar.list("pods")), "abcd");
    assert.equal(names(sandbar.list("pods", { fieldSelector: "spec.nodeName=n,metadata.name!=a" })), "cd");
    const first = sandbar.list("pods", { limit: 3 });
    assert.deepEqual([names(first), first.continue, first.remaining], ["abc", "3", 1]);
    const last = sandbar.list("pods", { limit: 3, continue: first.continue });
    assert.deepEqual([names(last), last.continue, last.remaining], ["d", undefined, undefined]);
    assert.deepEqual([...sandbar.pages("pods", { limit: 3 })].map(names), ["abc", "d"]);
    assert.equal([...sandbar.all("pods", { limit: 1 })].length, 4);
  });
});

test("a list is read up to a number, and what is missing is said", () => {
  const read = (objects) => {
    const page = within(() => sandbar.listUpTo("pods", objects, { limit: 3 }));
    return [names(page), page.continue, page.warnings];
  };
  assert.deepEqual(read(100), ["abcd", undefined, []]);
  assert.deepEqual(read(4), ["abcd", undefined, []]);
  assert.deepEqual(read(2), ["ab", "2", ["only the first 2 objects were read, and there are more"]]);
  assert.deepEqual(read(0), ["a", "1", ["only the first 1 objects were read, and there are more"]]);
});

test("what was read before an error is kept", () => {
  for (const [code, after] of [["exhausted", "3"], ["expired", undefined]]) {
    const page = { items: JSON.stringify([pod("a"), pod("b"), pod("c")]), continue: "3", remaining: 1, warnings: ["slow"], more: null };
    const listObjects = (query) => {
      if (query.continue) throw { payload: { code, message: "no more", retryAfterMs: null } };
      return page;
    };
    const before = install({ read: { listObjects } });
    const read = sandbar.listUpTo("pods", 100);
    install(before);
    assert.deepEqual([names(read), read.continue, read.warnings], ["abc", after, ["slow", "only the first 3 objects could be read: no more"]]);
  }
});

test("only the fields that were asked for are handed over", () => {
  const fields = ["metadata.name", 'metadata.annotations["example.com/a"]', "spec.containers.name", "spec.containers.image", "status.phase"];
  assert.deepEqual(within(() => sandbar.get("pods", "a", { namespace: "team-a", fields })), {
    metadata: { name: "a", annotations: { "example.com/a": "1" } },
    spec: { containers: [{ name: "a", image: "i" }, { name: "b" }] },
  });
  assert.ok(!("managedFields" in within(() => sandbar.get("pods", "a", { namespace: "team-a" })).metadata));
});

test("reads side by side have their own answers", () => {
  const cluster = made().log("team-a", "a", "1\n2\n3\n").fails("nodes", "denied");
  within(() => {
    const [one, none] = sandbar.getMany([
      { resource: "pods", name: "a", namespace: "team-a", fields: ["metadata.name"] },
      { resource: "pods", name: "z", namespace: "team-a" },
    ]);
    assert.deepEqual(one, { value: { metadata: { name: "a" } } });
    assert.ok(none.error instanceof sandbar.HostError && none.error.code === "not-found");
    const lists = sandbar.listMany([{ resource: "pods" }, { resource: "nodes" }, { resource: "widgets.a" }]);
    assert.deepEqual(lists.map(({ value, error }) => error?.code ?? names(value)), ["abcd", "denied", "not-served"]);
    const [log, missing] = sandbar.logMany([{ pod: "a", namespace: "team-a", tailLines: 2 }, { pod: "b", namespace: "team-a" }]);
    assert.deepEqual([log.value.text, log.value.older, log.value.droppedBytes, missing.error.code], ["2\n3\n", true, undefined, "not-found"]);
    assert.equal(sandbar.log("a", { namespace: "team-a", matching: "[13]" }).text, "1\n3\n");
  }, cluster);
  assert.deepEqual(cluster.asked.slice(0, 2), ["get pods a", "get pods z"]);
});

test("a table has rows with cells", () => {
  const { columns, rows } = within(() => sandbar.table("pods", { limit: 1 }));
  assert.deepEqual([columns[0].name, rows[0].cells.Name, rows[0].metadata.namespace], ["Name", "a", "team-a"]);
});

test("what is not there is told as a host does", () => {
  for (const [read, is] of [
    [() => sandbar.get("pods", "z", { namespace: "team-a" }), "not-found"],
    [() => sandbar.list("widgets.example.com"), "not-served"],
    [() => sandbar.list("events"), "invalid"],
    [() => sandbar.list("pods", { continue: "x" }), "invalid"],
    [() => sandbar.log("a", { namespace: "team-a" }), "not-found"],
  ]) {
    assert.equal(code(read), is);
  }
});

test("a component reads within its rules", () => {
  const run = ({ what }) =>
    ({ a: () => sandbar.get("pods", "a", { namespace: "team-a" }), b: () => sandbar.get("pods", "b", { namespace: "team-a" }), list: () => sandbar.list("pods"), health: sandbar.health })[what]();
  const rules = [{ apiGroups: [""], resources: ["pods"], verbs: ["get"], resourceNames: ["a"] }];
  const tools = [sandbar.defineTool({ name: "read", description: "Reads.", input: { properties: { what: { type: "string" } } }, run })];
  const call = (what, uses) => made().call(sandbar.defineComponent({ rules, uses, tools }), "read", { what });
  assert.equal(call("a").metadata.name, "a");
  assert.throws(() => call("b"), /the component does not ask to get pods: it has to have \{ apiGroups: \[""\], resources: \["pods"\], verbs: \["get"\] \} among its rules/);
  assert.throws(() => call("list"), /the component does not ask to list pods/);
  assert.throws(() => call("health"), /the component does not import `health`: name "health" in `uses` of its component/);
  assert.equal(call("health", ["health"]).gitVersion, "v1.37.2");
});

test("the call has settings, a time, a caller and progress", () => {
  const cluster = made().setting("threshold", 5).at(new Date("2026-11-30T00:00:00Z")).caller("ann", "admins");
  within(() => {
    assert.deepEqual([sandbar.setting("threshold"), sandbar.setting("other")], [5, undefined]);
    assert.equal(sandbar.now().toISOString(), "2026-11-30T00:00:00.000Z");
    assert.deepEqual(sandbar.caller(), { name: "ann", groups: ["admins"] });
    assert.ok(sandbar.remainingMs() > 60_000);
    sandbar.progress(1, 4, "team-a");
    sandbar.progress(2);
  }, cluster);
  assert.deepEqual(cluster.said, ["1/4 team-a", "2"]);
});

test("kinds are those of the objects", () => {
  const definition = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "oxen.example.com" },
    spec: { group: "example.com", names: { plural: "oxen", kind: "Ox" }, scope: "Namespaced", versions: [{ name: "v1" }] },
  };
  const ox = { apiVersion: "example.com/v1", kind: "Ox", metadata: { name: "o", namespace: "a" } };
  const policies = { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicyList", items: [{ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name: "p", namespace: "a" } }] };
  within(() => {
    assert.equal(names(sandbar.list("oxen.example.com", { namespace: "a" })), "o");
    assert.equal(names(sandbar.list("networkpolicies.v1.networking.k8s.io")), "p");
    assert.equal(names(sandbar.list("customresourcedefinitions.apiextensions.k8s.io", { cluster: true })), "oxen.example.com");
    assert.equal(sandbar.kinds()[0].of.plural, "pods");
  }, made().add(definition, ox, policies));
  assert.throws(() => new Cluster().add({ apiVersion: "v1" }), /an object without kind/);
});
