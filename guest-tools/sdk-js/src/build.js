// Builds a component of a module: esbuild makes one file of it, and componentize-qjs puts QuickJS around that.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { componentize } from "componentize-qjs";
import { build as bundle } from "esbuild";

const PACKAGE = realpathSync(fileURLToPath(new URL("..", import.meta.url)));
const WORLD = "sandbar-guest";
const CONTRACT = "@0.1.0";

/** Why there is no component, in words for its author. */
export class BuildError extends Error {}

/** The component that a module exports by default. The module is run for that. */
export async function load(source) {
  const folder = mkdtempSync(path.join(tmpdir(), "sandbar-tool-"));
  try {
    const file = path.join(folder, "module.mjs");
    await bundled({ entryPoints: [source], outfile: file, platform: "node", sourcemap: "inline" });
    const { default: component } = await import(pathToFileURL(file).href);
    // The bundle has a copy of this package inside, and so a class of its own.
    if (typeof component?.manifest !== "function") throw new BuildError(`${source} has to export a component: export default defineComponent({ ... })`);
    const { tools, prompts, resources } = component.parts;
    if (tools.length + prompts.length + resources.length === 0) throw new BuildError(`the component of ${source} serves nothing: it needs \`tools\``);
    return component;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The WIT world of a component: it imports what the component asks for, and nothing else. */
export function world(component) {
  const lines = [
    ...component.imports().map((name) => `  import ${name}${CONTRACT};`),
    ...component.exports().map((name) => `  export ${name}${CONTRACT};`),
  ];
  return ["package sandbar:guest;", "", `world ${WORLD} {`, ...lines, "}", ""].join("\n");
}

/** Writes the component of a module. The file is there as a whole or not at all. */
export async function build(source, output) {
  const component = await load(source);
  const folder = mkdtempSync(path.join(tmpdir(), "sandbar-tool-"));
  try {
    const wit = path.join(folder, "wit");
    for (const name of ["tool", "kubernetes"]) cpSync(path.join(PACKAGE, "wit", name), path.join(wit, "deps", name), { recursive: true });
    writeFileSync(path.join(wit, "world.wit"), world(component));
    const jsSource = await script(source, component);
    // Without the async ABI, which the host does not have; and WASI as it is, since stubs of it trap where the host's answer.
    const { component: bytes } = await componentize({ witPath: wit, world: WORLD, jsSource, sync: true, stubWasi: false, optSize: false });
    mkdirSync(path.dirname(path.resolve(output)), { recursive: true });
    writeFileSync(`${output}.unfinished`, bytes);
    renameSync(`${output}.unfinished`, output);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The one file that is put into the component, with the source map of itself at its end. */
async function script(source, component) {
  const interfaces = component.imports();
  const served = component.exports().map((name) => name.split("/")[1]);
  const entry = [
    // First, because it brings the console that the module may use.
    `import { exportsOf } from ${JSON.stringify(path.join(PACKAGE, "src/guest.js"))};`,
    ...interfaces.map((name) => `import * as ${variable(name)} from ${JSON.stringify(name + CONTRACT)};`),
    `import component from ${JSON.stringify(path.resolve(source))};`,
    `const served = exportsOf(component, ${JSON.stringify(JSON.stringify(component.manifest()))}, { ${interfaces.map(variable).join(", ")} }, () => globalThis.sandbarMap);`,
    ...served.map((name) => `export const ${name} = served.${name};`),
  ].join("\n");
  const root = path.dirname(path.resolve(source));
  const { outputFiles } = await bundled({
    stdin: { contents: entry, resolveDir: root, sourcefile: "sandbar-entry.js" },
    outfile: path.join(root, "bundle.js"),
    platform: "neutral",
    mainFields: ["module", "main"],
    external: ["sandbar:*"],
    sourcemap: "external",
    sourcesContent: false,
    write: false,
  });
  const [map, code] = ["bundle.js.map", "bundle.js"].map((name) => outputFiles.find((file) => path.basename(file.path) === name).text);
  const { sources, mappings } = JSON.parse(map);
  const named = sources.map((each) => nameOf(path.resolve(root, each)));
  return `${code}\nglobalThis.sandbarMap = ${JSON.stringify({ sources: named, mappings })};\n`;
}

/** What a file is called in a stack: by its path from where the build runs. Those of this package are not the author's. */
function nameOf(file) {
  const isOurs = file.startsWith(PACKAGE + path.sep + "src") || path.basename(file) === "sandbar-entry.js";
  return isOurs ? null : path.relative(process.cwd(), file);
}

/** `read-many` of `sandbar:kubernetes/read-many` is `readMany`. */
function variable(name) {
  return name.split("/")[1].replace(/-(.)/g, (_, letter) => letter.toUpperCase());
}

async function bundled(options) {
  try {
    return await bundle({ bundle: true, format: "esm", target: "es2023", charset: "utf8", logLevel: "silent", ...options });
  } catch (error) {
    if (!error.errors) throw error;
    const lines = error.errors.map(({ location, text }) => (location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text));
    throw new BuildError(lines.join("\n"));
  }
}

/** The manifest of a module, to be read. */
export const manifestOf = async (source) => JSON.stringify((await load(source)).manifest(), null, 2);

/** The world of a module, to be read. */
export const worldOf = async (source) => world(await load(source));

/** The version of this package. */
export const version = JSON.parse(readFileSync(path.join(PACKAGE, "package.json"), "utf8")).version;
