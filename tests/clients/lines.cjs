// JSON, a line at a time: how the clients in JavaScript talk to the tests.
const { existsSync, readFileSync } = require("node:fs");
const { join } = require("node:path");
const { createInterface } = require("node:readline");

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** The next message, or undefined at the end. */
exports.read = async () => {
  const { value } = await lines.next();
  return value && JSON.parse(value);
};

const write = (message) => process.stdout.write(JSON.stringify(message) + "\n");
exports.write = write;

/** What a result says, in our words. */
exports.seen = (result) => ({
  structured: result.structuredContent ?? null,
  text: result.content.map((block) => block.text).join(""),
  isError: Boolean(result.isError),
});

/** Answers calls with `call(tool, arguments)` until there are no more. */
exports.answer = async (call) => {
  for (let next; (next = await exports.read()); ) {
    write(await call(next.tool, next.arguments).catch((error) => ({ failed: String(error?.stack ?? error) })));
  }
};

/** What the package.json of an installed package says, and its folder. Packages need not export either. */
exports.installed = (name) => {
  const folder = require.resolve.paths(name).map((path) => join(path, name)).find((path) => existsSync(join(path, "package.json")));
  return { folder, ...JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) };
};
