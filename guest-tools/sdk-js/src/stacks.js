// Stacks in the lines of the author: those of the bundle are told by its source map.

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The frames of a stack that lie in files of the author: `run (src/tool.js:12:7)`. */
export function original(stack, { sources, mappings }) {
  const lines = mappings.split(";");
  const starts = startsOf(lines);
  return stack.split("\n").flatMap((frame) => {
    const match = /^\s*at (.*?)\s*\(?[^()\s]*:(\d+):(\d+)\)?$/.exec(frame);
    if (!match) return [];
    const place = placeOf(lines, starts, Number(match[2]) - 1, Number(match[3]) - 1);
    // Of this package, nothing is to be mended by the author.
    if (!place || sources[place.source] === null) return [];
    const where = `${sources[place.source]}:${place.line + 1}:${place.column + 1}`;
    return [match[1] && match[1] !== "<anonymous>" ? `${match[1]} (${where})` : where];
  });
}

/** The source, line and column at which each line of the mappings begins: they go on from line to line. */
function startsOf(lines) {
  let state = { source: 0, line: 0, column: 0 };
  return lines.map((text) => {
    const start = state;
    for (const segment of segments(text, start)) state = segment;
    return start;
  });
}

function placeOf(lines, starts, line, column) {
  let found;
  for (const segment of segments(lines[line] ?? "", starts[line])) {
    if (segment.generated > column) break;
    found = segment;
  }
  return found;
}

function* segments(text, start) {
  let { source, line, column } = start ?? {};
  let generated = 0;
  for (const segment of text.split(",")) {
    if (!segment) continue;
    const [ahead, ...more] = numbers(segment);
    generated += ahead;
    if (more.length === 0) continue;
    source += more[0];
    line += more[1];
    column += more[2];
    yield { generated, source, line, column };
  }
}

/** The numbers of a segment: base 64, six bits at a time, the lowest first; the last bit is the sign. */
function numbers(segment) {
  const found = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if (bits & 32) continue;
    found.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return found;
}
