export const manifest = {
  rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }],
  tools: [
    {
      name: "count_pods",
      description: "How many pods there are, in a namespace or in all.",
      inputSchema: { type: "object", properties: { namespace: { type: "string" } }, additionalProperties: false },
    },
  ],
};

export function count_pods({ namespace }) {
  return { pods: [...sandbar.all("pods", { namespace, fields: ["metadata.name"] })].length };
}
