#!/usr/bin/env node
// The command `sandbar-tool`.

import { parseArgs } from "node:util";

import { BuildError, build, manifestOf, worldOf } from "../src/build.js";

const USAGE = `sandbar-tool build MODULE [-o FILE]   build a component
sandbar-tool manifest MODULE          print what the host and the model read
sandbar-tool world MODULE             print what the component imports and exports
MODULE is the file, of JavaScript or TypeScript, that exports the component by default.`;

async function main() {
  let given;
  try {
    given = parseArgs({ allowPositionals: true, options: { output: { type: "string", short: "o" }, help: { type: "boolean" } } });
  } catch (error) {
    throw new BuildError(`${error.message}\n${USAGE}`);
  }
  const [command, module, ...more] = given.positionals;
  if (given.values.help) return console.log(USAGE);
  if (!module || more.length > 0) throw new BuildError(USAGE);
  if (command === "build") return build(module, given.values.output ?? module.replace(/\.[a-z]+$/, ".wasm"));
  if (command === "manifest") return console.log(await manifestOf(module));
  if (command === "world") return process.stdout.write(await worldOf(module));
  throw new BuildError(`there is no command ${command}\n${USAGE}`);
}

main().catch((error) => {
  console.error(error instanceof BuildError ? `sandbar-tool: ${error.message}` : error);
  process.exitCode = 1;
});
