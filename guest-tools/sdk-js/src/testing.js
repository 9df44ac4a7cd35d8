// A cluster for tests, made of objects, so that a tool is tested without a component, a host or a cluster, with `node --test`.
//
// Like the real host it hands over only what the rules of the component ask for, and only the fields that were asked for. It does not mask secrets, and has
// no limits but the pages.

import { readFileSync } from "node:fs";

import { words } from "./errors.js";
import { install } from "./host.js";

const PAGE = 200;
const PAGE_MAX = 1000;
const TAIL_LINES = 2000;
const VERBS = ["get", "list"];

/** Kinds whose plural is not what the rules of English make of it. */
const PLURALS = { Endpoints: "endpoints" };

export class Cluster {
  /** What was read, in words: `list pods`, `get deployments.apps web`, `log team-a/web-0`. */
  asked = [];
  /** Reports of progress, and lines that were logged. */
  said = [];
  health = { gitVersion: "v1.37.2", platform: "linux/amd64", ready: true };
  #objects = new Map();
  #kinds = new Map();
  #logs = new Map();
  #errors = new Map();
  #settings = new Map();
  #caller;
  #now = new Date("2026-01-01T00:00:00Z");

  add(...objects) {
    for (const each of objects) {
      if (each.kind?.endsWith("List") && each.items) this.add(...each.items);
      else this.#addOne(each);
    }
    return this;
  }

  load(file) {
    const read = JSON.parse(readFileSync(file, "utf8"));
    return this.add(...(Array.isArray(read) ? read : [read]));
  }

  log(namespace, pod, text, { container = "", previous = false } = {}) {
    this.#logs.set(JSON.stringify([namespace, pod, container, previous]), text);
    return this;
  }

  fails(resource, code, message = "the test says so") {
    this.#errors.set(resource, { code, message, retryAfterMs: null });
    return this;
  }

  setting(key, value) {
    this.#settings.set(key, JSON.stringify(value));
    return this;
  }

  caller(name, ...groups) {
    this.#caller = { name, groups, more: null };
    return this;
  }

  at(time) {
    this.#now = time;
    return this;
  }

  call(component, tool, args = {}) {
    const result = this.result(component, tool, args);
    return result.structuredContent ?? result.content[0].text;
  }

  result(component, tool, args = {}) {
    return JSON.parse(this.answering(component, () => component.call(tool, JSON.stringify(args))));
  }

  prompt(component, prompt, args = {}) {
    const { messages } = JSON.parse(this.answering(component, () => component.get(prompt, JSON.stringify(args))));
    return messages.map(({ role, content }) => ({ role, text: content.text }));
  }

  resource(component, uri) {
    return JSON.parse(this.answering(component, () => component.read(uri))).contents[0]?.text;
  }

  answering(component, run) {
    const before = install(this.#interfaces(component));
    try {
      return run();
    } catch (error) {
      // What a model would read; a fault comes out as it is.
      throw typeof error === "string" ? new Error(words(error)) : error;
    } finally {
      install(before);
    }
  }

  #addOne(object) {
    for (const key of ["apiVersion", "kind", "metadata"]) {
      if (!(key in object)) throw new TypeError(`an object without ${key}: ${JSON.stringify(object).slice(0, 200)}`);
    }
    if (object.kind === "CustomResourceDefinition") this.#define(object.spec);
    const { resource } = this.#kindOf(object);
    this.#objects.set(resource, [...(this.#objects.get(resource) ?? []), object]);
  }

  #define({ group, names, scope, versions }) {
    const resource = `${names.plural}.${group}`;
    const of = { group, version: versions.at(-1).name, plural: names.plural };
    this.#kinds.set(resource, { resource, of, name: names.kind, shortNames: names.shortNames ?? [], namespaced: scope === "Namespaced", verbs: VERBS });
  }

  /** The kind of an object; one that is new is served from now on. */
  #kindOf({ apiVersion, kind: name, metadata }) {
    const [version, group = ""] = apiVersion.split("/").reverse();
    for (const kind of this.#kinds.values()) {
      if (kind.name === name && kind.of.group === group) return kind;
    }
    const of = { group, version, plural: PLURALS[name] ?? plural(name.toLowerCase()) };
    const kind = { resource: nameOf(of), of, name, shortNames: [], namespaced: "namespace" in metadata, verbs: VERBS };
    this.#kinds.set(kind.resource, kind);
    return kind;
  }

  /** The interfaces of the contract, as a component with these rules has them. */
  #interfaces(component) {
    const tail = (source) => this.#tail(component, source);
    const getObject = (of, within, name, fields) => this.#get(component, of, within, name, fields);
    const listObjects = (query) => this.#list(component, query);
    const all = {
      context: {
        setting: (key) => this.#settings.get(key) ?? null,
        nowMs: () => this.#now.getTime(),
        remainingMs: () => 2 ** 32 - 1,
        progress: (done, total, message) => {
          const far = total === undefined ? `${done}` : `${done}/${total}`;
          this.said.push(message === undefined ? far : `${far} ${message}`);
        },
      },
      logging: { log: (level, message) => this.said.push(`${level}: ${message}`) },
      caller: { whoCalls: () => this.#caller ?? null },
      read: { getObject, listObjects },
      table: { listTable: (query) => this.#table(component, query) },
      logs: { tail },
      readMany: {
        getMany: (objects) => objects.map((each) => settled(() => getObject(each.of, each.within, each.name, each.fields))),
        listMany: (queries) => queries.map((query) => settled(() => listObjects(query))),
      },
      logsMany: { tailMany: (sources) => sources.map((source) => settled(() => tail(source))) },
      discovery: { servedKinds: () => ({ kinds: this.#served(), warnings: [], more: null }) },
      health: { apiServer: () => JSON.stringify(this.health) },
    };
    if (!component) return all;
    const imported = component.imports().map((name) => name.split("/")[1].replace(/-(.)/g, (_, letter) => letter.toUpperCase()));
    return Object.fromEntries(imported.map((name) => [name, all[name]]));
  }

  #served() {
    const key = ({ of }) => `${of.group}/${of.plural}`;
    const sorted = [...this.#kinds.values()].sort((one, other) => (key(one) < key(other) ? -1 : 1));
    return sorted.map(({ resource, ...kind }) => kind);
  }

  #get(component, of, within, name, fields) {
    this.asked.push(`get ${nameOf(of)} ${name}`);
    const object = this.#readable(component, of, "get", within, name).find(({ metadata }) => metadata.name === name);
    if (!object) throw refusal("not-found", `${nameOf(of)} "${name}" not found`);
    return JSON.stringify(picked(object, fields));
  }

  #list(component, query) {
    const { objects, ...rest } = this.#listed(component, query);
    return { items: JSON.stringify(objects.map((object) => picked(object, query.fields))), ...rest };
  }

  #table(component, query) {
    const { objects, ...rest } = this.#listed(component, query);
    const fields = query.fields ?? ["metadata.name", "metadata.namespace"];
    const rows = objects.map((object) => ({ metadata: {}, ...picked(object, fields), cells: { Name: object.metadata.name } }));
    return { columns: [{ name: "Name", priority: 0 }], rows: JSON.stringify(rows), ...rest };
  }

  #listed(component, { of, within, labelSelector, fieldSelector, limit, continue: after }) {
    this.asked.push(`list ${nameOf(of)}`);
    if (nameOf(of) === "events" && within.tag === "every-namespace") throw refusal("invalid", "events have to be listed in one namespace");
    const fits = (object) => hasLabels(object, labelSelector ?? "") && hasFields(object, fieldSelector ?? "");
    const objects = this.#readable(component, of, "list", within).filter(fits);
    if (after !== undefined && !/^\d+$/.test(after)) {
      throw refusal("invalid", "`continue` is not a cursor of this server; start the list again without it");
    }
    const begin = Number(after ?? 0);
    const end = begin + Math.min(limit || PAGE, PAGE_MAX);
    const isMore = end < objects.length;
    // As QuickJS has an option that is not there.
    const next = { continue: isMore ? String(end) : null, remaining: isMore ? objects.length - end : null };
    return { objects: objects.slice(begin, end), ...next, warnings: [], more: null };
  }

  #tail(component, { namespace, pod, container = "", previous = false, tailLines, matching }) {
    this.asked.push(`log ${namespace}/${pod}`);
    checkRules(component, { group: "", plural: "pods/log" }, "get", pod, false);
    const text = [container, ""].map((name) => this.#logs.get(JSON.stringify([namespace, pod, name, previous]))).find((each) => each !== undefined);
    if (text === undefined) throw refusal("not-found", `there is no such log of the pod ${namespace}/${pod}`);
    const lines = text.split(/(?<=\n)/);
    const most = tailLines ?? TAIL_LINES;
    const kept = lines.slice(-most).filter((line) => matching === undefined || new RegExp(matching).test(line));
    return { text: kept.join(""), truncated: false, droppedBytes: null, older: lines.length > most, warnings: [], more: null };
  }

  #readable(component, of, verb, within, name) {
    checkRules(component, of, verb, name, within.tag === "cluster");
    const resource = nameOf(of);
    if (this.#errors.has(resource)) throw { payload: this.#errors.get(resource) };
    if (!this.#kinds.has(resource)) throw refusal("not-served", `the cluster serves no ${resource}: the test has added no object of it`);
    return (this.#objects.get(resource) ?? []).filter(({ metadata: { namespace } }) => {
      if (within.tag === "namespace") return namespace === within.val;
      return within.tag === "every-namespace" || namespace === undefined;
    });
  }
}

/** An error of the host, as QuickJS throws it. */
const refusal = (code, message) => ({ payload: { code, message, retryAfterMs: null } });

function settled(read) {
  try {
    return { tag: "ok", val: read() };
  } catch (error) {
    if (!error.payload) throw error;
    return { tag: "err", val: error.payload };
  }
}

function checkRules(component, { group, plural }, verb, name, isCluster) {
  if (!component) return;
  const which = isCluster ? "clusterRules" : "rules";
  const allows = ({ apiGroups, resources, verbs, resourceNames = [] }) =>
    (apiGroups.includes(group) || apiGroups.includes("*")) &&
    (resources.includes(plural) || (resources.includes("*") && plural !== "pods/log")) &&
    verbs.includes(verb) &&
    (resourceNames.length === 0 || resourceNames.includes(name));
  if (component.parts[which].some(allows)) return;
  const rule = `{ apiGroups: ["${group}"], resources: ["${plural}"], verbs: ["${verb}"] }`;
  throw refusal("denied", `the component does not ask to ${verb} ${plural}: it has to have ${rule} among its ${which}`);
}

const nameOf = ({ group, plural }) => (group ? `${plural}.${group}` : plural);

function plural(name) {
  if (/[^aeiou]y$/.test(name)) return `${name.slice(0, -1)}ies`;
  return name + (/(s|x|ch)$/.test(name) ? "es" : "s");
}

/** Whether a label selector fits: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b,c)`, `a notin (b,c)`. */
function hasLabels({ metadata: { labels = {} } }, selector) {
  const conditions = selector.split(/,(?![^(]*\))/).map((each) => each.trim());
  return conditions.filter(Boolean).every((condition) => {
    const set = /^(\S+)\s+(not)?in\s*\((.*)\)$/.exec(condition);
    if (set) return set[3].split(",").some((each) => each.trim() === labels[set[1]]) !== Boolean(set[2]);
    const equal = /^([^!=\s]+)\s*(!?)==?\s*(\S*)$/.exec(condition);
    if (equal) return (labels[equal[1]] === equal[3]) !== Boolean(equal[2]);
    return condition.replace(/^!\s*/, "") in labels !== condition.startsWith("!");
  });
}

/** Whether a field selector fits: `a.b=c`, `a.b!=c`. What is not there is "". */
function hasFields(object, selector) {
  return selector.split(",").filter(Boolean).every((condition) => {
    const [, path, not, value] = /^([^!=]+)(!?)==?(.*)$/.exec(condition) ?? [undefined, condition, "", ""];
    const there = path.split(".").reduce((value, key) => value?.[key], object) ?? "";
    return (String(there) === value) !== Boolean(not);
  });
}

/** An object with these fields alone, as the host hands it over. */
function picked(object, fields) {
  if (!fields) {
    const { managedFields, ...metadata } = object.metadata;
    return { ...object, metadata };
  }
  const paths = fields.map((path) => [...path.matchAll(/\["([^"]+)"\]|([A-Za-z0-9_-]+)/g)].map(([, quoted, plain]) => quoted ?? plain));
  return paths.map((keys) => along(object, keys)).reduce(merged, {});
}

function along(value, [key, ...keys]) {
  if (key === undefined) return value;
  if (Array.isArray(value)) return value.map((item) => along(item, [key, ...keys]));
  if (value === null || typeof value !== "object" || !(key in value)) return {};
  return { [key]: along(value[key], keys) };
}

function merged(one, other) {
  if (Array.isArray(one) && Array.isArray(other)) return one.map((item, index) => merged(item, other[index]));
  const areObjects = [one, other].every((each) => each !== null && typeof each === "object" && !Array.isArray(each));
  if (!areObjects) return other;
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return Object.fromEntries([...keys].map((key) => [key, key in one && key in other ? merged(one[key], other[key]) : (other[key] ?? one[key])]));
}
