// Reads: objects, lists, tables, logs. A resource is named as kubectl has it: `pods`, `deployments.apps`, `deployments.v1.apps`.

import { HostError } from "./errors.js";
import { ask, of } from "./host.js";

/** Objects on a page, where the operator does not set less. */
const PAGE_MAX = 1000;

/** One object. */
export function get(resource, name, options = {}) {
  const { of: which, within, fields } = object(resource, name, options);
  return JSON.parse(ask(() => of("read").getObject(which, within, name, fields, undefined)));
}

/** One page of a list. */
export const list = (resource, options) => page(ask(() => of("read").listObjects(query(resource, options))));

/** Page after page, to the end. */
export function* pages(resource, options = {}) {
  for (let next = options.continue; ; ) {
    const read = list(resource, { ...options, continue: next });
    yield read;
    if (read.continue === undefined) return;
    next = read.continue;
  }
}

/** All objects of a list, page after page. */
export function* all(resource, options) {
  for (const { items } of pages(resource, options)) yield* items;
}

/** A list up to this many objects, as one page, which says what is missing. */
export function listUpTo(resource, objects, options = {}) {
  const onPage = options.limit || PAGE_MAX;
  const most = Math.max(objects, 1);
  let read = list(resource, { ...options, limit: Math.min(onPage, most) });
  const [items, warnings] = [[...read.items], [...read.warnings]];
  while (read.continue !== undefined) {
    if (items.length >= most) {
      warnings.push(`only the first ${items.length} objects were read, and there are more`);
      break;
    }
    try {
      read = list(resource, { ...options, limit: Math.min(onPage, most - items.length), continue: read.continue });
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      warnings.push(`only the first ${items.length} objects could be read: ${error.words}`);
      // A cursor that is too old leads nowhere.
      return { ...read, items, warnings, continue: error.code === "expired" ? undefined : read.continue };
    }
    for (const item of read.items) items.push(item);
    // What one page warns of, another may, too.
    warnings.push(...read.warnings.filter((each) => !warnings.includes(each)));
  }
  return { ...read, items, warnings };
}

/** One page of a list in the columns that kubectl shows. */
export function table(resource, options) {
  const { columns, rows, ...rest } = ask(() => of("table").listTable(query(resource, options)));
  const { items, ...answer } = page({ items: rows, ...rest });
  return { columns, rows: items, ...answer };
}

/** The end of a container's log. */
export const log = (pod, options) => excerpt(ask(() => of("logs").tail(source(pod, options))));

/** Several objects, side by side. */
export const getMany = (objects) =>
  answers(ask(() => of("readMany").getMany(objects.map((each) => object(each.resource, each.name, each)))), JSON.parse);

/** A page of each of several lists, side by side. */
export const listMany = (queries) => answers(ask(() => of("readMany").listMany(queries.map((each) => query(each.resource, each)))), page);

/** The ends of several logs, side by side. */
export const logMany = (sources) => answers(ask(() => of("logsMany").tailMany(sources.map((each) => source(each.pod, each)))), excerpt);

/** What the cluster serves, as far as the rules of the component let it be read. */
export const kinds = () => ask(() => of("discovery").servedKinds()).kinds;

/** The state of the API server. */
export const health = () => JSON.parse(ask(() => of("health").apiServer()));

function resource(name) {
  const [plural, ...rest] = String(name).split(".");
  const version = /^v\d/.test(rest[0] ?? "") ? rest.shift() : "";
  return { group: rest.join("."), version, plural };
}

function scope({ namespace, cluster }) {
  if (cluster) return { tag: "cluster" };
  return namespace ? { tag: "namespace", val: namespace } : { tag: "every-namespace" };
}

function object(name, key, options) {
  return { of: resource(name), within: scope(options), name: key, fields: options.fields, more: undefined };
}

function query(name, options = {}) {
  const { labels, fieldSelector, fields, limit } = options;
  const next = options.continue || undefined;
  return { of: resource(name), within: scope(options), labelSelector: labels, fieldSelector, fields, limit, continue: next, more: undefined };
}

function source(pod, options) {
  const { namespace, container, previous, tailLines, sinceSeconds, timestamps, matching, limitBytes } = options;
  return { namespace, pod, container, previous, tailLines, sinceSeconds, timestamps, matching, limitBytes, more: undefined };
}

// An option that is not there comes as null.
const page = (read) => ({
  items: JSON.parse(read.items), continue: read.continue ?? undefined, remaining: read.remaining ?? undefined, warnings: read.warnings,
});

const excerpt = ({ text, truncated, droppedBytes, older, warnings }) => ({
  text, truncated, droppedBytes: droppedBytes ?? undefined, older: older ?? undefined, warnings,
});

/** Of several answers each: its value, or its error. */
const answers = (results, value) =>
  results.map((result) => (result.tag === "ok" ? { value: value(result.val) } : { error: new HostError(result.val) }));
