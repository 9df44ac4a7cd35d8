// The Inspector on its command line: a process for each request.
const { spawn } = require("node:child_process");
const { buffer, text } = require("node:stream/consumers");
const { library, program, withHome } = require("./inspector.cjs");
const { answer, read, seen, write } = require("./lines.cjs");

/** The result of one request, also that of a tool which failed. */
async function request(env, { url, era }, ...asked) {
  const flags = ["--cli", url, "--transport", "http", "--protocol-era", era, "--format", "json", "--quiet", "--method", ...asked];
  const inspector = spawn(process.execPath, [program, ...flags], { env, stdio: ["ignore", "pipe", "pipe"] });
  const [out, words] = await Promise.all([buffer(inspector.stdout), text(inspector.stderr)]);
  if (out.length === 0) throw new Error(words);
  return JSON.parse(out).result;
}

async function main() {
  const task = await read();
  await withHome(async (env) => {
    const { protocolVersion } = await request(env, task, "initialize");
    const { tools } = await request(env, task, "tools/list");
    write({ library, protocol: protocolVersion, tools: tools.map((tool) => tool.name) });
    await answer(async (tool, given) =>
      seen(await request(env, task, "tools/call", "--tool-name", tool, "--tool-args-json", JSON.stringify(given))),
    );
  });
}

main();
