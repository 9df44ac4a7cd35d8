/** What a script finds. It is one file: it exports `manifest`, and a function for each tool and prompt by its name. */

/** An object of the cluster, as its API has it. */
type KubernetesObject = Record<string, any>;

interface Place {
  /** The namespace; absent: every namespace that is allowed. */
  namespace?: string;
  /** Whether the resource is cluster-scoped. */
  cluster?: boolean;
}

interface Query extends Place {
  /** A label selector: `app=web,tier!=test`. */
  labels?: string;
  /** A field selector: `status.phase=Running`. */
  fieldSelector?: string;
  /** Paths that are read, `metadata.name` for example; absent: whole objects. */
  fields?: string[];
  /** Objects on a page: 200 if absent. */
  limit?: number;
  /** The `continue` of the page before. */
  continue?: string;
}

interface Page {
  items: KubernetesObject[];
  /** Where the list goes on; absent: it has ended. */
  continue?: string;
  /** How many objects follow, where that is known. */
  remaining?: number;
  warnings: string[];
}

interface LogQuery {
  namespace: string;
  /** Absent: the only one, or the one that kubectl takes. */
  container?: string;
  /** The run before the last restart. */
  previous?: boolean;
  tailLines?: number;
  sinceSeconds?: number;
  timestamps?: boolean;
  /** Only lines that match this regular expression (RE2). */
  matching?: string;
  limitBytes?: number;
}

interface Excerpt {
  text: string;
  truncated: boolean;
  droppedBytes?: number;
  older?: boolean;
  warnings: string[];
}

/** One of several answers. */
type Answer<T> = { value: T; error?: undefined } | { value?: undefined; error: HostError };

/** Why the host did not answer. Thrown as it is, its words reach the model. */
declare class HostError extends Error {
  /** `denied`, `not-found`, `not-served`, `invalid`, `expired`, `too-large`, `exhausted`, `throttled`, `unavailable` or another. */
  code: string;
  retryAfterMs?: number;
}

/** A resource is named as kubectl has it: `pods`, `deployments.apps`, `deployments.v1.apps`. */
declare const sandbar: {
  HostError: typeof HostError;
  /** One page. */
  list(resource: string, options?: Query): Page;
  /** All objects, page after page. */
  all(resource: string, options?: Query): Iterable<KubernetesObject>;
  get(resource: string, name: string, options?: Place & { fields?: string[] }): KubernetesObject;
  /** A list in the columns that kubectl shows. */
  table(resource: string, options?: Query): {
    columns: { name: string; priority: number }[];
    rows: { cells: Record<string, any>; metadata?: Record<string, any> }[];
    continue?: string;
    remaining?: number;
    warnings: string[];
  };
  /** The end of a container's log. */
  log(pod: string, options: LogQuery): Excerpt;

  /** Side by side, each with its own answer. */
  getMany(objects: (Place & { resource: string; name: string; fields?: string[] })[]): Answer<KubernetesObject>[];
  listMany(queries: (Query & { resource: string })[]): Answer<Page>[];
  logMany(sources: (LogQuery & { pod: string })[]): Answer<Excerpt>[];

  /** What the cluster serves. */
  kinds(): {
    of: { group: string; version: string; plural: string };
    name: string;
    shortNames: string[];
    namespaced: boolean;
    verbs: string[];
  }[];
  /** The state of the API server. */
  health(): Record<string, any>;
  /** Who calls, where the operator has it told. */
  caller(): { name: string; groups: string[] } | undefined;

  /** An option that the operator has set. */
  setting(key: string): any;
  /** The time; where gathered files are the cluster, theirs. */
  now(): Date;
  /** Milliseconds until the call is ended. */
  remainingMs(): number;
  /** Tells the client how far the call is. */
  progress(done: number, total?: number, message?: string): void;
};

interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  resourceNames?: string[];
  verbs: ("get" | "list")[];
}

interface Manifest {
  tools: {
    name: string;
    title?: string;
    /** For the model: what the tool is for, and when. */
    description?: string;
    inputSchema: Record<string, any>;
    outputSchema?: Record<string, any>;
    annotations?: Record<string, any>;
  }[];
  /** What is asked for of namespaced resources. */
  rules?: PolicyRule[];
  /** What is asked for of cluster-scoped resources. */
  clusterRules?: PolicyRule[];
  /** A JSON Schema of the options that an operator may set. */
  settings?: Record<string, any>;
  prompts?: Record<string, any>[];
  resources?: Record<string, any>[];
  resourceTemplates?: Record<string, any>[];
}
