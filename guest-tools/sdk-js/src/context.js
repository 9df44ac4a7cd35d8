// Facts of the running call.

import { of } from "./host.js";

/** The value that the operator has set for an option; undefined where it is not set. */
export function setting(key) {
  const json = of("context").setting(key);
  return typeof json === "string" ? JSON.parse(json) : undefined;
}

/** The time. Where gathered files are the cluster, it is theirs: `new Date()` is not. */
export const now = () => new Date(of("context").nowMs());

/** Milliseconds until the host ends this call. */
export const remainingMs = () => of("context").remainingMs();

/** Tells the client how far the call is. */
export const progress = (done, total, message) => of("context").progress(done, total, message);

/** Who has made the call, where the operator grants it. */
export function caller() {
  const user = of("caller").whoCalls();
  return user ? { name: user.name, groups: user.groups } : undefined;
}
