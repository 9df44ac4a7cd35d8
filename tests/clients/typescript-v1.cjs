// The official TypeScript client, version 1. It knows the legacy era only.
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = require("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = require("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { answer, installed, read, seen, write } = require("./lines.cjs");

async function main() {
  const { url, program } = await read();
  const client = new Client({ name: "sandbar-tests", version: "1" });
  const transport = url ? new StreamableHTTPClientTransport(new URL(url)) : new StdioClientTransport(program);
  // Over stdio nobody else asks for it.
  let agreed;
  if (program) transport.setProtocolVersion = (version) => (agreed = version);
  await client.connect(transport);
  const { tools } = await client.listTools();
  write({
    library: installed("@modelcontextprotocol/sdk").version,
    protocol: agreed ?? transport.protocolVersion,
    tools: tools.map((tool) => tool.name),
  });
  await answer(async (tool, given) => seen(await client.callTool({ name: tool, arguments: given })));
  await client.close();
}

main();
