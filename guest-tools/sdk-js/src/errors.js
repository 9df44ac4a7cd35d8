// Why a tool has no answer.

/** Why the host did not answer. Thrown on as it is, its words reach the model. */
export class HostError extends Error {
  constructor({ code, message, retryAfterMs }) {
    super(message);
    this.name = "HostError";
    this.code = code;
    this.retryAfterMs = retryAfterMs ?? undefined;
  }

  /** What a model reads. */
  get words() {
    const wait = this.retryAfterMs === undefined ? "" : ` (try again in ${Math.ceil(this.retryAfterMs / 1000)} s)`;
    return this.message + wait;
  }
}

/** Errors that nobody means to tell: the code has a fault. */
const FAULTS = [TypeError, ReferenceError, RangeError, SyntaxError, EvalError, URIError];

/** The words of an error that is meant to be told; undefined: it is a fault. */
export function words(error) {
  if (typeof error === "string") return error;
  if (error instanceof HostError) return error.words;
  const isFault = !(error instanceof Error) || FAULTS.some((fault) => error instanceof fault) || error.name === "InternalError";
  return isFault ? undefined : error.message;
}
