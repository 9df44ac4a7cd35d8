// Drives the official TypeScript client, version 1: the same task as client.py, whose first lines describe it. It has one mode.
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { readFileSync } = require("node:fs");

async function main() {
  const task = JSON.parse(readFileSync(0, "utf8"));
  const client = new Client({ name: "sandbar-tests", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(task.url)));
  const { tools } = await client.listTools();
  const results = [];
  for (const { tool, arguments: given } of task.calls) {
    const result = await client.callTool({ name: tool, arguments: given });
    const text = result.content.map((block) => block.text).join("");
    results.push({ structured: result.structuredContent ?? null, text, isError: Boolean(result.isError) });
  }
  await client.close();
  process.stdout.write(JSON.stringify({ tools: tools.map((tool) => tool.name), results }));
}

main();
