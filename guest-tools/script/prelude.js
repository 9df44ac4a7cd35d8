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

/** `pods`, `deployments.apps` or `deployments.v1.apps`, as kubectl has it. */
function resource(name) {
  const [plural, ...rest] = String(name).split(".");
  const version = /^v\d/.test(rest[0] ?? "") ? rest.shift() : "";
  return { group: rest.join("."), version, plural };
}

function scope({ namespace, cluster }) {
  if (cluster) return { tag: "cluster" };
  return namespace ? { tag: "namespace", val: namespace } : { tag: "every-namespace" };
}

function query(name, options = {}) {
  const { labels, fieldSelector, fields, limit } = options;
  return {
    of: resource(name), within: scope(options), labelSelector: labels, fieldSelector, fields, limit, continue: options.continue, more: undefined,
  };
}

function object(name, key, options = {}) {
  return { of: resource(name), within: scope(options), name: key, fields: options.fields, more: undefined };
}

function source(pod, options) {
  const { namespace, container, previous, tailLines, sinceSeconds, timestamps, matching, limitBytes } = options;
  return { namespace, pod, container, previous, tailLines, sinceSeconds, timestamps, matching, limitBytes, more: undefined };
}

const present = (value) => value ?? undefined;
const page = (page) => ({
  items: JSON.parse(page.items), continue: present(page.continue), remaining: present(page.remaining), warnings: page.warnings,
});
const excerpt = ({ text, truncated, droppedBytes, older, warnings }) => ({
  text, truncated, droppedBytes: present(droppedBytes), older: present(older), warnings,
});

const sandbar = {
  HostError,

  list: (name, options) => page(ask(() => read.listObjects(query(name, options)))),
  *all(name, options) {
    let next = options?.continue;
    do {
      const { items, continue: after } = sandbar.list(name, { ...options, continue: next });
      yield* items;
      next = after;
    } while (next);
  },
  get: (name, key, options) => {
    const { of, within, fields } = object(name, key, options);
    return JSON.parse(ask(() => read.getObject(of, within, key, fields, undefined)));
  },
  table: (name, options) => {
    const { columns, rows, ...rest } = ask(() => table.listTable(query(name, options)));
    const { items, ...answer } = page({ items: rows, ...rest });
    return { columns, rows: items, ...answer };
  },
  log: (pod, options) => excerpt(ask(() => logs.tail(source(pod, options)))),

  getMany: (objects) => answers(ask(() => readMany.getMany(objects.map((each) => object(each.resource, each.name, each)))), JSON.parse),
  listMany: (queries) => answers(ask(() => readMany.listMany(queries.map((each) => query(each.resource, each)))), page),
  logMany: (sources) => answers(ask(() => logsMany.tailMany(sources.map((each) => source(each.pod, each)))), excerpt),

  kinds: () => ask(() => discovery.servedKinds()).kinds,
  health: () => JSON.parse(ask(() => health.apiServer())),
  caller: () => {
    const user = caller.whoCalls();
    return user ? { name: user.name, groups: user.groups } : undefined;
  },

  setting: (key) => {
    const json = context.setting(key);
    return typeof json === "string" ? JSON.parse(json) : undefined;
  },
  now: () => new Date(context.nowMs()),
  remainingMs: () => context.remainingMs(),
  progress: (done, total, message) => context.progress(done, total, message),
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
const line = (level) => (...values) => logging.log(level, words(values));

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
    if (typeof error === "string") throw error;
    const isMeant = error instanceof Error && !FAULTS.some((fault) => error instanceof fault) && error.name !== "InternalError";
    if (isMeant) throw error.message;
    if (!(error instanceof Error)) throw `the script has failed: it has thrown ${JSON.stringify(error)}`;
    const places = stack(error);
    logging.log("error", `${error}\n${places}`);
    // The model is told where, and its author finds the whole way there in the log.
    throw `the script has failed: ${error}${/ \(.*\)/.exec(places)?.[0] ?? ""}`;
  }
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
