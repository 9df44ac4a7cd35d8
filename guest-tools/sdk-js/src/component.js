// A component: its tools, prompts and resources, what it asks to read, and the settings that it has.

/** The same for every tool: the contract lets a component read only, and what it reads is other people's words. */
const ANNOTATIONS = { readOnlyHint: true, openWorldHint: true };

/** The interfaces that a rule stands for: they are imported where a component asks to read something of the kind. */
const OF_OBJECTS = ["sandbar:kubernetes/read", "sandbar:kubernetes/table", "sandbar:kubernetes/read-many"];
const OF_LOGS = ["sandbar:kubernetes/logs", "sandbar:kubernetes/logs-many"];
const OF_USES = { caller: "sandbar:tool/caller", discovery: "sandbar:kubernetes/discovery", health: "sandbar:kubernetes/health" };
const LOG = "pods/log";

/** Declares a tool. */
export function defineTool(tool) {
  const { name, description, run } = tool;
  if (typeof name !== "string" || typeof description !== "string") throw new TypeError("a tool has a `name` and a `description`");
  check(run, "run", `the tool ${name}`);
  return { ...tool, input: closed(tool.input) };
}

/** Declares a component of what it serves and asks for. It is what its module exports by default. */
export function defineComponent({ rules = [], clusterRules = [], settings, uses = [], tools = [], prompts = [], resources = [] }) {
  for (const { name, run } of prompts) check(run, "run", `the prompt ${name}`);
  for (const { uri, read } of resources) check(read, "read", `the resource ${uri}`);
  const unknown = uses.find((use) => !(use in OF_USES));
  if (unknown !== undefined) throw new TypeError(`uses: ${JSON.stringify(unknown)}; the possible ones are ${Object.keys(OF_USES).join(", ")}`);
  once(tools.map(({ name }) => name), "tool");
  once(prompts.map(({ name }) => name), "prompt");
  once(resources.map(({ uri }) => uri), "resource");
  return new Component({ rules, clusterRules, settings: settings && closed(settings), uses, tools, prompts, resources });
}

/** The schema of a page whose items have this one. */
export const pageOf = (items) => ({
  type: "object",
  properties: {
    items: { type: "array", items },
    continue: { type: "string" },
    remaining: { type: "integer", minimum: 0 },
    warnings: { type: "array", items: { type: "string" } },
    hint: { type: "string" },
  },
  required: ["items"],
});

/** The same page with these items on it. Without warnings, it says nothing of them. */
export function withItems({ warnings = [], ...page }, items) {
  return { ...page, items, warnings: warnings.length > 0 ? warnings : undefined };
}

/** An answer in both of MCP's forms: a text for the model, and a structure. */
export const told = (text, answer) => ({ content: [{ type: "text", text }], structuredContent: answer });

/** What `defineComponent` makes. The functions take and give JSON, as the contract has it. */
export class Component {
  constructor(parts) {
    this.parts = parts;
  }

  /** What the host and the model read about it. */
  manifest() {
    const { rules, clusterRules, settings, tools, prompts, resources } = this.parts;
    const rest = {
      prompts: prompts.map(({ run, ...prompt }) => prompt),
      resources: resources.filter((each) => !isTemplate(each)).map(({ uri, ...each }) => ({ uri, ...document(each) })),
      resourceTemplates: resources.filter(isTemplate).map(({ uri, ...each }) => ({ uriTemplate: uri, ...document(each) })),
      rules,
      clusterRules,
    };
    const some = Object.fromEntries(Object.entries(rest).filter(([, entries]) => entries.length > 0));
    return { tools: tools.map(entry), ...some, settings };
  }

  /** The interfaces that it imports, which are its request for permission: those that its rules stand for, and those that it uses. */
  imports() {
    const { rules, clusterRules, uses } = this.parts;
    const asked = [...rules, ...clusterRules].flatMap(({ resources }) => resources);
    const ofRules = [...(asked.some((each) => each !== LOG) ? OF_OBJECTS : []), ...(asked.includes(LOG) ? OF_LOGS : [])];
    return ["sandbar:tool/context", "sandbar:tool/logging", ...ofRules, ...uses.map((use) => OF_USES[use])];
  }

  /** The interfaces that it serves by. */
  exports() {
    const { prompts, resources } = this.parts;
    const more = Object.entries({ prompts, resources }).filter(([, entries]) => entries.length > 0);
    return ["tools", ...more.map(([name]) => name)].map((name) => `sandbar:tool/${name}`);
  }

  /** Runs a tool. Answers the result of an MCP `tools/call`. */
  call(name, args) {
    const tool = found(this.parts.tools, "name", name, "tool");
    return JSON.stringify(result(synchronous(tool.run(JSON.parse(args)), name)));
  }

  /** Fills in a prompt. Answers the result of an MCP `prompts/get`. */
  get(name, args) {
    const prompt = found(this.parts.prompts, "name", name, "prompt");
    const answer = synchronous(prompt.run(JSON.parse(args)), name);
    const messages = typeof answer === "string" ? [{ role: "user", text: answer }] : answer;
    return JSON.stringify({ messages: messages.map(({ role, text }) => ({ role, content: { type: "text", text } })) });
  }

  /** Reads a resource. Answers the result of an MCP `resources/read`. */
  read(uri) {
    // A document of its own goes before what a template makes of its URI.
    const sorted = [...this.parts.resources].sort((one, other) => isTemplate(one) - isTemplate(other));
    for (const { uri: template, mimeType = "text/plain", read } of sorted) {
      const given = variables(template, uri);
      if (!given) continue;
      const text = synchronous(read(given), uri) ?? undefined;
      return JSON.stringify({ contents: text === undefined ? [] : [{ uri, mimeType, text }] });
    }
    throw new Error(`this component has no resource \`${uri}\``);
  }
}

function once(names, what) {
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new TypeError(`there are two of the ${what} ${twice}`);
}

/** Arguments or settings: an object that takes no other properties than its own. */
const closed = (schema = {}) => ({ type: "object", properties: {}, additionalProperties: false, ...schema });

function check(run, name, what) {
  if (typeof run !== "function") throw new TypeError(`${what} has no function \`${name}\``);
  if (run.constructor.name === "AsyncFunction") throw new TypeError(`\`${name}\` of ${what} is async, and the host waits for no other function than a plain one`);
}

function entry({ name, title, description, input, output }) {
  return { name, title, description, inputSchema: input, outputSchema: output, annotations: ANNOTATIONS };
}

const document = ({ read, mimeType = "text/plain", ...about }) => ({ ...about, mimeType });

const isTemplate = ({ uri }) => uri.includes("{");

function found(entries, key, value, what) {
  const entry = entries.find((each) => each[key] === value);
  if (!entry) throw new Error(`this component has no ${what} \`${value}\``);
  return entry;
}

function synchronous(answer, what) {
  if (typeof answer?.then === "function") throw new TypeError(`${what} has answered a promise, and the host does not wait for one`);
  return answer;
}

/** What stands in a URI for the variables of a template; undefined: it does not fit. */
function variables(template, uri) {
  const pattern = template.split(/\{(\w+)\}/).map((part, index) => (index % 2 ? `(?<${part}>[^/]+)` : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  const match = new RegExp(`^${pattern.join("")}$`).exec(uri);
  return match && Object.fromEntries(Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]));
}

/** An answer in MCP's form: a text is one, an object is structured, and one that has `content` or `structuredContent` is so already. */
function result(answer) {
  if (typeof answer === "string") return { content: [{ type: "text", text: answer }] };
  if (answer === null || typeof answer !== "object" || Array.isArray(answer)) {
    throw new TypeError(`a tool answers a text or an object, and this one has answered ${JSON.stringify(answer)?.slice(0, 80) ?? "nothing"}`);
  }
  return "content" in answer || "structuredContent" in answer ? answer : { structuredContent: answer };
}
