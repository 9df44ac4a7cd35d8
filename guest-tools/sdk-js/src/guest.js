// Inside of a component: the exports of the contract, and a console. The module that `sandbar-tool build` writes calls this.

import { words } from "./errors.js";
import { install } from "./host.js";
import { original } from "./stacks.js";

/** Characters of an error's text that a model reads. The whole is in the log. */
const SHOWN = 200;

/** Steps of the generator behind Math.random, mulberry32, and of its seed. */
const STEP = 0x6d2b79f5;

let logging;
// While a component is built there is no host to log to.
let isCalled = false;

/** The exports, for the interfaces that a component imports. `map` is the source map of the module that this is bundled into. */
export function exportsOf(component, manifest, interfaces, map) {
  install(interfaces);
  logging = interfaces.logging;
  return {
    tools: { manifest: () => manifest, call: (name, args) => run(name, map, () => component.call(name, args)) },
    prompts: { get: (name, args) => run(name, map, () => component.get(name, args)) },
    resources: { read: (uri) => run(uri, map, () => component.read(uri)) },
  };
}

/** Runs code of an author, and turns what it throws into words: those that it means to tell, or what kind of fault it was. */
function run(what, map, call) {
  isCalled = true;
  seed();
  try {
    return call();
  } catch (error) {
    const meant = words(error);
    if (meant !== undefined) throw meant;
    const frames = error instanceof Error ? original(error.stack ?? "", map()) : [];
    const kind = error instanceof Error ? String(error) : `it has thrown ${JSON.stringify(error)}`;
    const causes = error instanceof Error && error.cause !== undefined ? `\ncaused by ${error.cause}` : "";
    logging.log("error", [kind, ...frames.map((frame) => `    at ${frame}`)].join("\n") + causes);
    const shown = kind.length > SHOWN ? `${kind.slice(0, SHOWN)}...` : kind;
    const place = frames.length > 0 ? `, at ${frames[0]}` : "";
    throw `${what} has a fault: ${shown}${place}; the server's log has the stack`;
  }
}

/** Math.random goes on from where it was when the component was built, in every call. Begins it anew, by the clock: it is no source of secrets. */
function seed() {
  let state = (Date.now() + performance.now() * 1e6) >>> 0;
  Math.random = () => {
    state = (state + STEP) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const shown = (value) => (typeof value === "string" ? value : value instanceof Error ? `${value}` : (JSON.stringify(value) ?? String(value)));
const line = (level) => (...values) => {
  if (isCalled) logging.log(level, values.map(shown).join(" "));
};

globalThis.console ??= {
  debug: line("debug"), log: line("info"), info: line("info"), warn: line("warn"), error: line("error"), trace: line("trace"),
};
