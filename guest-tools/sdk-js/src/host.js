// What stands behind the functions of this package: inside of a component the interfaces of its world, in a test a cluster that plays them. Both have
// the functions of the contract, with records as objects.

import { HostError } from "./errors.js";

let interfaces;

/** Answers with these interfaces from now on. Returns those before. */
export function install(next) {
  const before = interfaces;
  interfaces = next;
  return before;
}

const WHY = {
  context: "",
  logging: "",
  caller: 'name "caller" in `uses` of its component',
  discovery: 'name "discovery" in `uses` of its component',
  health: 'name "health" in `uses` of its component',
};

/** An interface of the contract. */
export function of(name) {
  if (!interfaces) {
    throw new TypeError("nothing answers here: outside of a component, call the tool through the Cluster of sandbar-tool/testing");
  }
  const found = interfaces[name];
  if (!found) {
    throw new TypeError(`the component does not import \`${name}\`: ${WHY[name] ?? "the rules of its component ask for nothing of the kind"}`);
  }
  return found;
}

/** What a function of the host answers. Its error is thrown as a HostError. */
export function ask(call) {
  try {
    return call();
  } catch (error) {
    const payload = error?.payload ?? error;
    const isHosts = typeof payload?.code === "string" && typeof payload?.message === "string" && !(payload instanceof Error);
    throw isHosts ? new HostError(payload) : error;
  }
}
