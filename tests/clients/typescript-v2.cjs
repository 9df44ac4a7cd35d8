// The official TypeScript client, version 2.
const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");
const { answer, installed, read, seen, write } = require("./lines.cjs");

async function main() {
  const { url, program, era } = await read();
  const mode = era === "modern" ? { pin: "2026-07-28" } : "legacy";
  const client = new Client({ name: "sandbar-tests", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(url ? new StreamableHTTPClientTransport(new URL(url)) : new StdioClientTransport(program));
  const { tools } = await client.listTools();
  write({
    library: installed("@modelcontextprotocol/client").version,
    protocol: client.getNegotiatedProtocolVersion(),
    tools: tools.map((tool) => tool.name),
  });
  await answer(async (tool, given) => seen(await client.callTool({ name: tool, arguments: given })));
  await client.close();
}

main();
