// A tool that uses every function of the package, and fails in every way. What it answers is the same in Python.

import * as sandbar from "sandbar-tool";

// While it is built, nobody hears this.
console.log("at the top");
let count = 0;

const deeper = (pod) => pod.spec.nodeName;

const linesOf = (text) => text.split("\n").length - 1;

const everything = sandbar.defineTool({
  name: "everything",
  description: "Does one thing.",
  input: { properties: { which: { enum: ["reads", "many", "context", "meant", "fault", "cause", "denied", "unused", "long"] } }, required: ["which"] },
  output: { type: "object" },
  run({ which }) {
    const [pod, namespace] = ["coder-6d5f8b7c9-cwtch", "team-a"];
    switch (which) {
      case "reads": {
        const table = sandbar.table("pods", { namespace, limit: 1 });
        const names = [...sandbar.all("pods", { limit: 5, fields: ["metadata.name"] })].map(({ metadata }) => metadata.name);
        const log = sandbar.log(pod, { namespace, tailLines: 1 });
        return {
          get: sandbar.get("pods", pod, { namespace, fields: ["metadata.name"] }),
          all: names.length > 10,
          column: table.columns[0].name,
          cell: table.rows[0].cells.Name,
          lines: linesOf(log.text),
          older: log.older,
          kinds: sandbar.kinds().map(({ of }) => of.plural),
          ready: sandbar.health().ready,
        };
      }
      case "many": {
        const objects = sandbar.getMany([
          { resource: "pods", name: pod, namespace, fields: ["metadata.name"] },
          { resource: "pods", name: "none", namespace },
        ]);
        const lists = sandbar.listMany([{ resource: "pods", namespace, limit: 1, fields: ["metadata.name"] }, { resource: "secrets" }]);
        const logs = sandbar.logMany([{ pod, namespace, tailLines: 1 }, { pod: "none", namespace }]);
        return {
          get: objects.map(({ value, error }) => error?.code ?? value),
          list: lists.map(({ value, error }) => error?.code ?? value.items.length),
          log: logs.map(({ value, error }) => error?.code ?? linesOf(value.text)),
        };
      }
      case "context":
        count += 1;
        console.warn("a line of", "the tool");
        sandbar.progress(1, 2, "half");
        return {
          now: sandbar.now().toISOString().slice(0, 19),
          set: sandbar.setting("greeting"),
          unset: sandbar.setting("other") ?? "default",
          remaining: sandbar.remainingMs() > 0,
          calls: count,
        };
      case "meant":
        throw new Error("there is no such word; say another");
      case "fault":
        return { node: deeper({}) };
      case "cause":
        try {
          return sandbar.get("pods", "none", { namespace });
        } catch (error) {
          throw new TypeError("it was there", { cause: error });
        }
      case "denied":
        return sandbar.list("secrets");
      case "unused":
        return sandbar.caller();
      case "long":
        throw new TypeError("x".repeat(1000));
    }
  },
});

export default sandbar.defineComponent({
  rules: [{ apiGroups: [""], resources: ["pods", "pods/log"], verbs: ["get", "list"] }],
  settings: { properties: { greeting: { type: "string" } } },
  uses: ["discovery", "health"],
  tools: [everything],
});
