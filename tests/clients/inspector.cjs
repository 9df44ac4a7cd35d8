// Where the Inspector is, and a home of its own for it: it keeps settings and secrets there.
const { mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { installed } = require("./lines.cjs");

const inspector = installed("@modelcontextprotocol/inspector");

exports.library = inspector.version;
exports.program = join(inspector.folder, inspector.bin["mcp-inspector"]);

/** Runs `task` with a fresh home, which goes with it. */
exports.withHome = async (task) => {
  const home = mkdtempSync(join(tmpdir(), "sandbar-inspector-"));
  try {
    return await task({ ...process.env, HOME: home, MCP_STORAGE_DIR: join(home, "storage"), MCP_INSPECTOR_SECRET_STORE: "memory" });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};
