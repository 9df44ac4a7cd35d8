// What the declarations let a tool be. `npm run check` compiles it; a line that should fail says so.

import { type Answer, defineComponent, defineTool, type FromSchema, getMany, list, type Page, pageOf, setting, told, withItems } from "sandbar-tool";
import { Cluster } from "sandbar-tool/testing";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T | undefined => undefined;

const item = { type: "object", properties: { name: { type: "string" }, size: { type: "integer" } }, required: ["name"] } as const;
type Item = FromSchema<typeof item>;
const named: Item = { name: "a" };
const sized: Item = { name: "a", size: 1 };
// @ts-expect-error `name` is required.
const nameless: Item = { size: 1 };
holds<Equal<FromSchema<{ type: "array"; items: { enum: ["a", "b"] } }>, ("a" | "b")[]>>();
holds<Equal<FromSchema<{ anyOf: [{ type: "string" }, { type: "null" }] }>, string | null>>();
holds<Equal<FromSchema<{ type: "object"; additionalProperties: { type: "boolean" } }>, Record<string, boolean>>>();

const inferred = defineTool({
  name: "inferred",
  description: "Its types follow from its schemas.",
  input: { properties: { namespace: { type: "string" }, limit: { type: "integer" }, kind: { enum: ["a", "b"] } }, required: ["limit"] },
  output: pageOf(item),
  run({ namespace, limit, kind }) {
    const checked: [string | undefined, number, "a" | "b" | undefined] = [namespace, limit, kind];
    return withItems(list("pods", { namespace: checked[0], limit }), [named, sized]);
  },
});

defineTool({
  name: "wrong",
  description: "Answers what its schema does not have.",
  output: item,
  // @ts-expect-error `size` is a number.
  run: () => ({ name: "a", size: "large" }),
});

const given = defineTool<{ word: string }, Page<Item>>({
  name: "given",
  description: "Its types are given.",
  run: ({ word }) => told(word.toUpperCase(), { items: [named], continue: setting<string>("next") }),
});

const text = defineTool({ name: "text", description: "Answers a text.", run: () => "a" });

const component = defineComponent({
  rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }],
  tools: [inferred, given, text],
  // @ts-expect-error there is no such capability.
  uses: ["network"],
});

// @ts-expect-error a tool only reads.
defineComponent({ rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["delete"] }] });

const answers: Answer<Record<string, any>>[] = getMany([{ resource: "pods", name: "a", namespace: "b" }]);
for (const { value, error } of answers) {
  if (error) error.code.toUpperCase();
  else value.metadata;
}
const typed: { spec: { replicas?: number } }[] = list<{ spec: { replicas?: number } }>("deployments.apps").items;
typed.length;
new Cluster().add({ apiVersion: "v1" }).setting("a", 1).call(component, "text");
nameless;
