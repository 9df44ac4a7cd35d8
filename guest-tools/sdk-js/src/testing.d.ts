/** A cluster for tests, made of objects, so that a tool is tested without a component, a host or a cluster, with `node --test`. */

import type { Component, KubernetesObject } from "./index.js";

/**
 * A cluster that answers from its objects, and what an operator and a caller are. Like the real host it hands over only what the rules of the component ask
 * for, and only the fields that were asked for. It does not mask secrets, and has no limits but the pages.
 */
export class Cluster {
  /** What was read, in words: `list pods`, `get deployments.apps web`, `log team-a/web-0`. */
  asked: string[];
  /** Reports of progress, and lines that were logged. */
  said: string[];
  /** What the API server says of itself. */
  health: { gitVersion: string; platform: string; ready: boolean };

  /** Adds objects, as the API has them; a `List` is what is in it. A CustomResourceDefinition that was added before says what a kind's plural is. */
  add(...objects: KubernetesObject[]): this;
  /** Adds the objects of a file of JSON, as `kubectl get -o json` writes it. */
  load(file: string | { readonly href: string }): this;
  /** Adds the log of a container. */
  log(namespace: string, pod: string, text: string, options?: { container?: string; previous?: boolean }): this;
  /** Reads of this resource, `pods` or `deployments.apps`, fail with this code. */
  fails(resource: string, code: string, message?: string): this;
  /** Sets an option as an operator does. */
  setting(key: string, value: unknown): this;
  /** Says who calls; nobody that is known, if a test does not. */
  caller(name: string, ...groups: string[]): this;
  /** Says what time it is; the beginning of 2026, if a test does not. */
  at(time: Date): this;

  /** What a tool answers: its structured content, or its text if it has no other. What it throws comes out. */
  call(component: Component, tool: string, args?: object): any;
  /** The whole result of a tool, as MCP has it. */
  result(component: Component, tool: string, args?: object): Record<string, any>;
  /** The messages of a prompt. */
  prompt(component: Component, prompt: string, args?: Record<string, string>): { role: string; text: string }[];
  /** The text of a resource; undefined where there is no such. */
  resource(component: Component, uri: string): string | undefined;
  /** Answers the functions of this package while `run` runs, within the rules of this component; without one, all of them. */
  answering<T>(component: Component | undefined, run: () => T): T;
}
