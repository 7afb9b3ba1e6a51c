import type { z } from "@autokestra/plugin-sdk";
import { toJsonText } from "../text-or-json.ts";
import { charsetOf, FORM_TYPE, mediaTypeOf } from "./json.ts";
import { isWellFormed, parametersSchema, WELL_FORMED } from "./request-url.ts";

/** The inputs that make the body of a request. */
export interface BodyInput {
  readonly body?: unknown;
  readonly form?: URLSearchParams | undefined;
  /** The Content-Type header; undefined if the workflow gives none. */
  readonly contentType: string | undefined;
}

/** The body to send, and its content type if the workflow gives none. */
export interface EncodedBody {
  readonly text: string | undefined;
  readonly contentType?: string;
}

const JSON_TYPE = "application/json";

/**
 * Encodes a body: text stays as it is, an object becomes a form if the content type is that of a form, and every other
 * value becomes JSON. Contradictory inputs become issues, before anything is sent.
 */
export function encodeBody(input: BodyInput, context: z.RefinementCtx): EncodedBody {
  const encoded = encode(input, context);
  const { text = "" } = encoded;
  if (!isWellFormed(text)) refuse(context, "body", WELL_FORMED);
  if (!isUtf8Type(input.contentType) && /[^\0-\x7f]/.test(text)) {
    refuse(
      context,
      "body",
      "ASCII characters, for the body is sent in UTF-8 and the content-type names another charset",
    );
  }
  return encoded;
}

function encode({ body, form, contentType }: BodyInput, context: z.RefinementCtx): EncodedBody {
  const type = contentType === undefined ? undefined : mediaTypeOf(contentType);
  if (form !== undefined) return encodeForm(form, body, type, context);
  if (body === undefined) return { text: undefined };
  if (typeof body === "string") {
    if (isJsonType(type) && !isJson(body)) refuse(context, "body", "JSON, as the content-type says");
    return { text: body };
  }
  if (type === FORM_TYPE) return { text: readParameters(body, context)?.toString() };
  if (type !== undefined && !isJsonType(type)) {
    refuse(context, "body", "text, for the content-type is neither that of JSON nor that of a form");
  }
  const text = toJsonText(body);
  if (text === undefined) refuse(context, "body", "text or a JSON value");
  return { text, ...(type === undefined ? { contentType: JSON_TYPE } : {}) };
}

function encodeForm(
  form: URLSearchParams,
  body: unknown,
  type: string | undefined,
  context: z.RefinementCtx,
): EncodedBody {
  if (body !== undefined) refuse(context, "form", "either body or form, not both");
  if (type !== undefined && type !== FORM_TYPE) refuse(context, "form", `no content-type but ${FORM_TYPE} beside it`);
  return { text: form.toString(), ...(type === undefined ? { contentType: FORM_TYPE } : {}) };
}

/** Reads an object with the content type of a form by the rules of `form`. */
function readParameters(body: unknown, context: z.RefinementCtx): URLSearchParams | undefined {
  const { data, error } = parametersSchema.safeParse(body);
  for (const issue of error?.issues ?? []) {
    context.issues.push({ ...issue, input: body, path: ["body", ...issue.path] } as z.core.$ZodRawIssue);
  }
  return data;
}

/**
 * True also for `application/problem+json` and `application/x-amz-json-1.1`, but not for streams such as
 * `application/x-ndjson`.
 */
function isJsonType(type: string | undefined): boolean {
  return type !== undefined && /[/+.-]json(?:-\d[\d.]*)?$/.test(type);
}

/** True also for an empty body, whatever its content type says. */
function isJson(text: string): boolean {
  if (text === "") return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isUtf8Type(contentType = ""): boolean {
  const charset = charsetOf(contentType) ?? "utf-8";
  return /^utf-?8$/i.test(charset);
}

function refuse(context: z.RefinementCtx, input: "body" | "form", expected: string): void {
  context.addIssue({ code: "custom", path: [input], params: { expected } });
}
