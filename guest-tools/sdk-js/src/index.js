// Write tools for Sandbar, an MCP server for Kubernetes, in JavaScript or TypeScript. Inside of a component nothing else of this package is there.

export { defineComponent, defineTool, pageOf, told, withItems } from "./component.js";
export { caller, now, progress, remainingMs, setting } from "./context.js";
export { HostError } from "./errors.js";
export { age, quantity } from "./kubernetes.js";
export { all, get, getMany, health, kinds, list, listMany, listUpTo, log, logMany, pages, table } from "./read.js";
