/** Requests of loggers to servers, and failures in words that can be shown: no address with a key, no header, no answer. */
import { decodeJson, encodeJson, isJsonObject, type JsonObject, type JsonValue } from "../run/json.ts";

/** Milliseconds until a server that does not answer counts as failed. */
const TIMEOUT = 10_000;

/** A server that answers, but not as it should. */
export class AnswerError extends Error {
  /** Whether asking again may help. */
  readonly passing: boolean;
  /** Of HTTP, where it is what is wrong. */
  readonly status: number | undefined;

  constructor(text: string, passing: boolean, status?: number) {
    super(text);
    this.passing = passing;
    this.status = status;
  }
}

export interface Ask {
  readonly url: string;
  /** A GET without it. */
  readonly body?: JsonValue;
  /** Value of the header `Authorization`. */
  readonly authorization: string | undefined;
  readonly signal: AbortSignal;
}

/** The JSON object that a server answers with; numbers that are not finite are sent as strings. */
export async function ask({ url, body, authorization, signal }: Ask): Promise<JsonObject> {
  const response = await fetch(url, {
    method: body === undefined ? "GET" : "POST",
    headers: { "Content-Type": "application/json", ...(authorization === undefined ? {} : { authorization }) },
    ...(body === undefined ? {} : { body: encodeJson(body) }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]),
  });
  const text = await response.text();
  const { ok, status } = response;
  // 408 timeout, 425 too early, 429 too many: all of them pass
  if (!ok) throw new AnswerError(`HTTP status ${status}`, status >= 500 || [408, 425, 429].includes(status), status);
  try {
    const value = decodeJson(text === "" ? "{}" : text);
    if (isJsonObject(value)) return value;
  } catch {}
  throw new AnswerError("an answer that is no JSON object", false);
}

/** Why a request failed, e.g. `ECONNREFUSED`. */
export function failureText(error: unknown): string {
  if (error instanceof AnswerError) return error.message;
  if (!(error instanceof Error)) return "an unknown error";
  if (error.name === "TimeoutError") return `no answer within ${TIMEOUT / 1000} s`;
  const { cause } = error as { cause?: { code?: unknown } };
  return typeof cause?.code === "string" ? cause.code : error.name;
}

/** `Basic` authorization of RFC 7617. */
export const basicAuthorization = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

/** The text at a path of an answer. */
export function textAt(answer: JsonObject, ...path: string[]): string {
  const step = (value: JsonValue | undefined, key: string) => (isJsonObject(value) ? value[key] : undefined);
  const found = path.reduce<JsonValue | undefined>(step, answer);
  if (typeof found === "string") return found;
  throw new AnswerError(`an answer without "${path.join(".")}"`, false);
}
