// What a script finds: the object `sandbar`, and a `console`. `tool.d.ts` says what is in them. The engine begins with this, before it is
// compiled, and each instance has a copy of it: whatever a script does to it, no other call sees.

import * as context from "sandbar:tool/context@0.1.0";
import * as logging from "sandbar:tool/logging@0.1.0";
import * as caller from "sandbar:tool/caller@0.1.0";
import * as read from "sandbar:kubernetes/read@0.1.0";
import * as logs from "sandbar:kubernetes/logs@0.1.0";
import * as health from "sandbar:kubernetes/health@0.1.0";
import * as table from "sandbar:kubernetes/table@0.1.0";
import * as readMany from "sandbar:kubernetes/read-many@0.1.0";
import * as logsMany from "sandbar:kubernetes/logs-many@0.1.0";
import * as discovery from "sandbar:kubernetes/discovery@0.1.0";

/** Why the host did not answer. */
class HostError extends Error {
  constructor({ code, message, retryAfterMs }) {
    super(message);
    this.name = "HostError";
    this.code = code;
    this.retryAfterMs = retryAfterMs ?? undefined;
  }
}

/** Whether an error is the host's answer: an object of its contract, as it is or as what was thrown carries it. */
function hostError(error) {
  const payload = error?.payload ?? error;
  return typeof payload?.code === "string" && typeof payload?.message === "string" ? new HostError(payload) : undefined;
}

/** What a function of the host answers; its error is thrown as one that a script can read. */
function ask(call) {
  try {
    return call();
  } catch (error) {
    throw hostError(error) ?? error;
  }
}

/** Of several answers each: its value, or its error. */
function answers(results, value) {
  return results.map((result) => (result.tag === "ok" ? { value: value(result.val) } : { error: new HostError(result.val) }));
}

/** What an argument can have to be: the engine cannot make anything else of it, and would end, without a word of where. */
const TEXT = { words: "a text", is: (value) => typeof value === "string" && value.isWellFormed() };
const TEXTS = { words: "a list of texts", is: (value) => Array.isArray(value) && value.every(TEXT.is) };
const FLAG = { words: "true or false", is: (value) => typeof value === "boolean" };
const NUMBER = { words: "a number", is: (value) => typeof value === "number" };
const COUNT = { words: "a whole number below 2^32", is: (value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32 };
const OBJECT = { words: "an object", is: (value) => typeof value === "object" && value !== null };
const LIST = { words: "a list", is: Array.isArray };

/** Options, which may be absent. */
const OPTIONS = Object.entries({
  namespace: TEXT, labels: TEXT, fieldSelector: TEXT, fields: TEXTS, limit: COUNT, continue: TEXT,
  container: TEXT, previous: FLAG, tailLines: COUNT, sinceSeconds: COUNT, timestamps: FLAG, matching: TEXT, limitBytes: COUNT,
});

/** A value in the words for what is wrong with it. */
function shown(value) {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 100)) + (value.isWellFormed() ? "" : ", with half a character in it");
  if (typeof value === "function") return "a function";
  if (!OBJECT.is(value)) return String(value);
  return Array.isArray(value) ? "a list with something else in it" : "an object";
}

/** An argument of a function of `sandbar`, if it is what it has to be. */
function checked(call, name, type, value) {
  if (type.is(value)) return value;
  throw new TypeError(`sandbar.${call}: \`${name}\` has to be ${type.words}, and is ${shown(value)}`);
}

/** One that may be absent. */
const optional = (call, name, type, value) => (value === undefined || value === null ? undefined : checked(call, name, type, value));

/** The options of a function, all of them that there are. */
function checkedOptions(call, options) {
  const given = checked(call, "options", OBJECT, options ?? {});
  for (const [name, type] of OPTIONS) optional(call, name, type, given[name]);
  return given;
}

/** `pods`, `deployments.apps` or `deployments.v1.apps`, as kubectl has it. */
function resource(call, name) {
  const [plural, ...rest] = checked(call, "resource", TEXT, name).split(".");
  const version = /^v\d/.test(rest[0] ?? "") ? rest.shift() : "";
  return { group: rest.join("."), version, plural };
}

function scope({ namespace, cluster }) {
  if (cluster) return { tag: "cluster" };
  return namespace ? { tag: "namespace", val: namespace } : { tag: "every-namespace" };
}

function query(call, name, options) {
  const given = checkedOptions(call, options);
  const { labels, fieldSelector, fields, limit } = given;
  return {
    of: resource(call, name), within: scope(given), labelSelector: labels, fieldSelector, fields, limit, continue: given.continue, more: undefined,
  };
}

function object(call, name, key, options) {
  const given = checkedOptions(call, options);
  return { of: resource(call, name), within: scope(given), name: checked(call, "name", TEXT, key), fields: given.fields, more: undefined };
}

function source(call, pod, options) {
  const { container, previous, tailLines, sinceSeconds, timestamps, matching, limitBytes, namespace: given } = checkedOptions(call, options);
  const namespace = checked(call, "namespace", TEXT, given);
  return { namespace, pod: checked(call, "pod", TEXT, pod), container, previous, tailLines, sinceSeconds, timestamps, matching, limitBytes, more: undefined };
}

/** Each of a list of objects. */
const each = (call, name, list, one) =>
  checked(call, name, LIST, list).map((entry, at) => one(checked(call, `${name}[${at}]`, OBJECT, entry)));

const present = (value) => value ?? undefined;
const page = (page) => ({
  items: JSON.parse(page.items), continue: present(page.continue), remaining: present(page.remaining), warnings: page.warnings,
});
const excerpt = ({ text, truncated, droppedBytes, older, warnings }) => ({
  text, truncated, droppedBytes: present(droppedBytes), older: present(older), warnings,
});

const list = (call, name, options) => page(ask(() => read.listObjects(query(call, name, options))));

const sandbar = {
  HostError,

  list: (name, options) => list("list", name, options),
  *all(name, options) {
    let next = options?.continue;
    do {
      const { items, continue: after } = list("all", name, { ...options, continue: next });
      yield* items;
      next = after;
    } while (next);
  },
  get: (name, key, options) => {
    const { of, within, fields } = object("get", name, key, options);
    return JSON.parse(ask(() => read.getObject(of, within, key, fields, undefined)));
  },
  table: (name, options) => {
    const { columns, rows, ...rest } = ask(() => table.listTable(query("table", name, options)));
    const { items, ...answer } = page({ items: rows, ...rest });
    return { columns, rows: items, ...answer };
  },
  log: (pod, options) => excerpt(ask(() => logs.tail(source("log", pod, options)))),

  getMany: (objects) => {
    const all = each("getMany", "objects", objects, (one) => object("getMany", one.resource, one.name, one));
    return answers(ask(() => readMany.getMany(all)), JSON.parse);
  },
  listMany: (queries) => {
    const all = each("listMany", "queries", queries, (one) => query("listMany", one.resource, one));
    return answers(ask(() => readMany.listMany(all)), page);
  },
  logMany: (sources) => {
    const all = each("logMany", "sources", sources, (one) => source("logMany", one.pod, one));
    return answers(ask(() => logsMany.tailMany(all)), excerpt);
  },

  kinds: () => ask(() => discovery.servedKinds()).kinds,
  health: () => JSON.parse(ask(() => health.apiServer())),
  caller: () => {
    const user = caller.whoCalls();
    return user ? { name: user.name, groups: user.groups } : undefined;
  },

  setting: (key) => {
    const json = context.setting(checked("setting", "key", TEXT, key));
    return typeof json === "string" ? JSON.parse(json) : undefined;
  },
  now: () => new Date(context.nowMs()),
  remainingMs: () => context.remainingMs(),
  progress: (done, total, message) => {
    const all = optional("progress", "total", NUMBER, total);
    context.progress(checked("progress", "done", NUMBER, done), all, optional("progress", "message", TEXT, message));
  },
};

// The engine has begun before any call, and its own generator would give the same numbers to each: this one begins with the time.
let drawn;
Math.random = () => {
  drawn = ((drawn ?? Date.now()) + 0x6d2b79f5) | 0;
  let mixed = Math.imul(drawn ^ (drawn >>> 15), drawn | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
};

const words = (values) => values.map((value) => (typeof value === "string" ? value : value instanceof Error ? `${value}\n${stack(value)}` : JSON.stringify(value))).join(" ");
const line = (level) => (...values) => logging.log(level, words(values).toWellFormed());

globalThis.wit = {};
globalThis.sandbar = sandbar;
globalThis.console = {
  debug: line("debug"), log: line("info"), info: line("info"), warn: line("warn"), error: line("error"), trace: line("trace"),
};

/** Errors that a script does not mean to tell: it has a fault. */
const FAULTS = [TypeError, ReferenceError, RangeError, SyntaxError, EvalError, URIError];

/** Where an error comes from: the script's own part of its stack. */
function stack(error) {
  const lines = String(error.stack).split("\n").filter((line) => line.includes("componentize-qjs:user.js"));
  return lines.map((line) => line.replace("componentize-qjs:user.js", sandbarScript)).join("\n");
}

/** Runs a function of the script, and turns what it throws into words: those for the model, or where its fault is. */
function run(call) {
  try {
    return call();
  } catch (error) {
    throw told(error).toWellFormed();
  }
}

function told(error) {
  if (typeof error === "string") return error;
  const isMeant = error instanceof Error && !FAULTS.some((fault) => error instanceof fault) && error.name !== "InternalError";
  if (isMeant) return String(error.message);
  if (!(error instanceof Error)) return `the script has failed: it has thrown ${JSON.stringify(error)}`;
  const places = stack(error);
  logging.log("error", `${error}\n${places}`.toWellFormed());
  // The model is told where, and its author finds the whole way there in the log.
  return `the script has failed: ${error}${/ \(.*\)/.exec(places)?.[0] ?? ""}`;
}

/** The script's function of this name. */
function of(script, name, what) {
  const call = script[name];
  if (typeof call !== "function") throw new Error(`it exports no function ${JSON.stringify(name)} for its ${what} of that name`);
  return call;
}

/** An answer in MCP's form: a text is one, an object is structured, and one that has `content` or `structuredContent` is so already. */
function result(answer) {
  if (typeof answer === "string") return { content: [{ type: "text", text: answer }] };
  if (answer === null || typeof answer !== "object" || Array.isArray(answer)) {
    throw `the script has answered ${JSON.stringify(answer) ?? "nothing"}: a tool answers a text or an object`;
  }
  return "content" in answer || "structuredContent" in answer ? answer : { structuredContent: answer };
}

/** The interfaces that the host asks, for the exports of a script. */
globalThis.sandbarExports = (script) => {
  const { manifest } = script;
  if (manifest === null || typeof manifest !== "object") throw new Error("it exports no object `manifest`");
  // What else is wrong with it the host says.
  const named = (list) => (Array.isArray(list) ? list : []).map((entry) => entry?.name).filter((name) => typeof name === "string");
  for (const name of named(manifest.tools)) of(script, name, "tool");
  for (const name of named(manifest.prompts)) of(script, name, "prompt");
  return exports(script);
};

const exports = (script) => ({
  tools: {
    manifest: () => JSON.stringify(script.manifest),
    call: (name, args) => run(() => JSON.stringify(result(of(script, name, "tool")(JSON.parse(args))))),
  },
  prompts: {
    get: (name, args) =>
      run(() => {
        const answer = of(script, name, "prompt")(JSON.parse(args));
        const messages = typeof answer === "string" ? [{ role: "user", content: { type: "text", text: answer } }] : answer;
        return JSON.stringify(Array.isArray(messages) ? { messages } : messages);
      }),
  },
  resources: {
    read: (uri) =>
      run(() => {
        const answer = of(script, "read", "resources")(uri);
        const contents = typeof answer === "string" ? [{ uri, text: answer }] : (answer ?? []);
        return JSON.stringify(Array.isArray(contents) ? { contents } : contents);
      }),
  },
});
