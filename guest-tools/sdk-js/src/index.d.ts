/** Write tools for Sandbar, an MCP server for Kubernetes, in JavaScript or TypeScript. */

/** An object of the cluster, as its API has it. */
export type KubernetesObject = Record<string, any>;

export interface Place {
  /** The namespace; absent: every namespace that the operator allows. */
  namespace?: string;
  /** Whether the resource is cluster-scoped. */
  cluster?: boolean;
}

export interface Query extends Place {
  /** A label selector: `app=web,tier!=test`. */
  labels?: string;
  /** A field selector: `status.phase=Running`. */
  fieldSelector?: string;
  /** Paths to read, `status.containerStatuses.restartCount` for example; absent: whole objects. */
  fields?: readonly string[];
  /** Objects on a page: 200 if absent, 1000 or what the operator set at most. */
  limit?: number;
  /** The `continue` of the page before. */
  continue?: string;
}

/** One page of a list. It may hold fewer items than `limit`, even none, while there is more. */
export interface Page<T = KubernetesObject> {
  items: T[];
  /** Where the list goes on; only its absence ends it. */
  continue?: string;
  /** How many follow, where that is known. */
  remaining?: number;
  /** What a reader of the page must know, such as a namespace that is missing from it. */
  warnings?: string[];
  /** What was searched, and what is near, where nothing was found. */
  hint?: string;
}

export interface Table {
  /** A `priority` above 0 is for `kubectl get -o wide`. */
  columns: { name: string; priority: number }[];
  rows: { metadata: KubernetesObject; cells: Record<string, any> }[];
  continue?: string;
  remaining?: number;
  warnings: string[];
}

export interface LogQuery {
  namespace: string;
  /** Absent is right for a pod with one container only. */
  container?: string;
  /** The run before the last restart. */
  previous?: boolean;
  /** How many of the newest lines, counted before `matching` drops any: 2000 if absent, 20,000 with `matching`. */
  tailLines?: number;
  sinceSeconds?: number;
  timestamps?: boolean;
  /** Only lines that this regular expression (RE2) matches somewhere. */
  matching?: string;
  limitBytes?: number;
}

/** The newest lines of a log that fit, oldest first. */
export interface Excerpt {
  text: string;
  /** The cap cut something off. */
  truncated: boolean;
  droppedBytes?: number;
  /** Whether older lines exist; absent: not known. */
  older?: boolean;
  warnings: string[];
}

export interface Kind {
  of: { group: string; version: string; plural: string };
  /** What one of its objects is called: `Deployment`. */
  name: string;
  shortNames: string[];
  namespaced: boolean;
  verbs: string[];
}

/** One of several answers: its value, or its error. */
export type Answer<T> = { value: T; error?: undefined } | { value?: undefined; error: HostError };

/** Why the host did not answer. Thrown on as it is, its words reach the model. */
export class HostError extends Error {
  constructor(error: { code: string; message: string; retryAfterMs?: number | null });
  /** One of an open list: `denied`, `not-found`, `not-served`, `invalid`, `expired`, `too-large`, `exhausted`, `throttled`, `unavailable`, `other`. */
  code: string;
  /** How long to wait before trying again, where that is known. */
  retryAfterMs: number | undefined;
  /** What a model reads. */
  readonly words: string;
}

// A resource is named as kubectl has it: `pods`, `deployments.apps`, `deployments.v1.apps`. What its objects are can be given: `list<Pod>("pods")`.

/** One page of a list. */
export function list<T = KubernetesObject>(resource: string, options?: Query): Page<T> & { warnings: string[] };
/** Page after page, to the end. What a call may read has bounds, so a long list may end in a HostError with the code `exhausted`. */
export function pages<T = KubernetesObject>(resource: string, options?: Query): Generator<Page<T> & { warnings: string[] }, void>;
/** All objects of a list, page after page. */
export function all<T = KubernetesObject>(resource: string, options?: Query): Generator<T, void>;
/**
 * A list up to this many objects, as one page. Whatever ended it early, the number or an error, is the last of its warnings, and `continue` goes on from
 * there where that is possible. Only where the first page fails is that thrown. Each page has `limit` objects, or as many as can be.
 */
export function listUpTo<T = KubernetesObject>(resource: string, objects: number, options?: Query): Page<T> & { warnings: string[] };
/** One object. A namespaced one needs its namespace. */
export function get<T = KubernetesObject>(resource: string, name: string, options?: Place & { fields?: readonly string[] }): T;
/** One page of a list in the columns that kubectl shows. Of `fields` only those under `metadata` make sense. */
export function table(resource: string, options?: Query): Table;
/** The end of a container's log. */
export function log(pod: string, options: LogQuery): Excerpt;

/** Several objects, side by side: each has its answer or its error, in the order in which they were asked for. */
export function getMany(objects: readonly (Place & { resource: string; name: string; fields?: readonly string[] })[]): Answer<KubernetesObject>[];
/** A page of each of several lists, side by side. */
export function listMany(queries: readonly (Query & { resource: string })[]): Answer<Page & { warnings: string[] }>[];
/** The ends of several logs, side by side. */
export function logMany(sources: readonly (LogQuery & { pod: string })[]): Answer<Excerpt>[];

/** What the cluster serves, as far as the rules of the component let it be read. The component `uses` `discovery`. */
export function kinds(): Kind[];
/** The state of the API server. The component `uses` `health`. */
export function health(): { gitVersion: string; platform: string; ready: boolean };
/** Who has made the call; undefined where nobody was authenticated. The component `uses` `caller`, and the operator grants it. */
export function caller(): { name: string; groups: string[] } | undefined;

/** The value that the operator has set for an option; undefined where it is not set. The host has checked it against the schema of `settings`. */
export function setting<T = any>(key: string): T | undefined;
/** The time. Where gathered files are the cluster, it is theirs: `new Date()` is not. */
export function now(): Date;
/** Milliseconds until the host ends this call. */
export function remainingMs(): number;
/** Tells the client how far the call is: `done` out of `total`, in any unit that grows, and a short message for a person. */
export function progress(done: number, total?: number, message?: string): void;

/** How long ago that is in the running call, as kubectl writes it: `5s`, `3m`, `4h12m`, `12d`. Undefined where the text says no time. */
export function age(since: string | Date): string | undefined;
/** An amount of processors, bytes or pods: `250m` is 0.25, `1Gi` 1073741824. Undefined where the text says none. */
export function quantity(text: string): number | undefined;

/** A JSON Schema. */
export type Schema = { readonly [keyword: string]: unknown };

/** A schema of arguments or settings. `type: "object"` and `additionalProperties: false` are added where they are not there. */
export interface ObjectSchema extends Schema {
  readonly properties?: { readonly [name: string]: Schema };
  readonly required?: readonly string[];
}

/** The type that a schema describes, as far as it is written in the code: properties that are not required are optional. */
export type FromSchema<S> = S extends { readonly const: infer C }
  ? C
  : S extends { readonly enum: readonly (infer E)[] }
    ? E
    : S extends { readonly anyOf: readonly (infer A)[] } | { readonly oneOf: readonly (infer A)[] }
      ? FromSchema<A>
      : S extends { readonly type: "string" }
        ? string
        : S extends { readonly type: "integer" | "number" }
          ? number
          : S extends { readonly type: "boolean" }
            ? boolean
            : S extends { readonly type: "null" }
              ? null
              : S extends { readonly type: "array"; readonly items: infer I }
                ? FromSchema<I>[]
                : S extends { readonly properties: infer P }
                  ? FromProperties<P, S extends { readonly required: readonly (infer R)[] } ? R : never>
                  : S extends { readonly type: "object"; readonly additionalProperties: infer V extends Schema }
                    ? Record<string, FromSchema<V>>
                    : S extends { readonly type: "object" }
                      ? Record<string, any>
                      : any;

type FromProperties<P, R> = { -readonly [K in keyof P as K extends R ? K : never]: FromSchema<P[K]> } & {
  -readonly [K in keyof P as K extends R ? never : K]?: FromSchema<P[K]>;
};

/** An answer in both of MCP's forms. */
export interface Told<T> {
  content: { type: "text"; text: string }[];
  structuredContent: T;
}

/** An answer in both of MCP's forms: a text for the model, in place of the JSON, and a structure. Each has to say all that matters. */
export function told<T extends object>(text: string, answer: T): Told<T>;

/** The schema of a page whose items have this one. */
export function pageOf<const I extends Schema>(
  items: I,
): {
  readonly type: "object";
  readonly properties: {
    readonly items: { readonly type: "array"; readonly items: I };
    readonly continue: { readonly type: "string" };
    readonly remaining: { readonly type: "integer" };
    readonly warnings: { readonly type: "array"; readonly items: { readonly type: "string" } };
    readonly hint: { readonly type: "string" };
  };
  readonly required: readonly ["items"];
};

/** The same page with these items on it. Without warnings, it says nothing of them. */
export function withItems<T>(page: Page<any>, items: T[]): Page<T>;

interface Named {
  name: string;
  /** A short name for people. */
  title?: string;
}

interface ToolOf<I, O, A, R> extends Named {
  /** For the model: what the tool answers, when to use it, how to narrow it. */
  description: string;
  /** The schema of the arguments. None are taken if it is absent. */
  input?: I;
  /** The schema of the answer. An answer that is a text has none. */
  output?: O;
  /** Answers an object or a text. An `Error` that it throws is read by the model; a TypeError and the like are faults, whose stacks are logged. */
  run(args: A): R | Told<R> | string;
}

/** What `defineTool` makes. */
export interface Tool extends Named {
  description: string;
  input: ObjectSchema;
  output?: Schema;
  run(args: any): unknown;
}

/** Declares a tool, whose types follow from its schemas. */
export function defineTool<const I extends ObjectSchema = {}, const O extends Schema = {}>(tool: ToolOf<I, O, FromSchema<I>, FromSchema<O>>): Tool;
/** Declares a tool with types that are given: `defineTool<Arguments, Page<Item>>({ ... })`. */
export function defineTool<A extends object = never, R extends object = never>(tool: ToolOf<ObjectSchema, Schema, NoInfer<A>, NoInfer<R>>): Tool;

/** A Kubernetes RBAC PolicyRule: what a component asks to read. The operator decides what it gets. Logs are `pods/log` with `get`. */
export interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: ("get" | "list")[];
}

/** A text, or messages, that a user chooses in their client. */
export interface Prompt extends Named {
  description: string;
  arguments?: { name: string; description?: string; required?: boolean }[];
  run(args: Record<string, string | undefined>): string | { role: "user" | "assistant"; text: string }[];
}

/** What a client reads under a URI, `sandbar://NAME/...`, or under those that a template has: `runbooks://of/{name}`. */
export interface Resource extends Named {
  uri: string;
  description: string;
  /** `text/plain` if absent. */
  mimeType?: string;
  /** The text; undefined where there is no such document. */
  read(variables: Record<string, string>): string | undefined;
}

export interface Parts {
  /** What it asks to read of namespaced resources. */
  rules?: PolicyRule[];
  /** What it asks to read of cluster-scoped resources. */
  clusterRules?: PolicyRule[];
  /** The schema of the options that an operator may set. */
  settings?: ObjectSchema;
  /** What it uses that no rule stands for. */
  uses?: ("caller" | "discovery" | "health")[];
  tools?: Tool[];
  prompts?: Prompt[];
  resources?: Resource[];
}

/** What `defineComponent` makes. The functions take and give JSON, as the contract has it. */
export interface Component {
  readonly parts: Required<Omit<Parts, "settings">> & { settings?: ObjectSchema };
  manifest(): Record<string, any>;
  imports(): string[];
  exports(): string[];
  call(name: string, args: string): string;
  get(name: string, args: string): string;
  read(uri: string): string;
}

/** Declares a component of what it serves and asks for. It is what its module exports by default. */
export function defineComponent(parts: Parts): Component;
