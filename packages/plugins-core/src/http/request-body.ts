import { File } from "node:buffer";
import { z } from "@autokestra/plugin-sdk";
import { toJsonText } from "../text-or-json.ts";
import { charsetOf, FORM_TYPE, mediaTypeOf } from "./json.ts";
import {
  type FormFields,
  isWellFormed,
  namedValues,
  parametersSchema,
  WELL_FORMED_TEXT,
  wellFormedText,
} from "./request-url.ts";

/** The inputs that make the body of a request. */
export interface BodyInput {
  readonly body?: unknown;
  readonly form?: URLSearchParams | undefined;
  readonly files?: Files | undefined;
  /** The Content-Type header; undefined if the workflow gives none. */
  readonly contentType: string | undefined;
}

/** The body to send, and its content type if neither the workflow nor the body itself gives one. */
export interface EncodedBody {
  readonly body: string | FormFields | undefined;
  readonly contentType?: string;
}

/** The files of each field of a form. */
export type Files = Readonly<Record<string, readonly File[]>>;

const fileSchema = z
  .strictObject({
    name: wellFormedText.min(1),
    content: wellFormedText.optional(),
    base64: z.string().optional(),
    type: z
      .string()
      .regex(/^[!-~]+\/[ -~]+$/)
      .optional(),
  })
  .transform(({ name, content, base64, type }, context) => {
    if (content !== undefined && base64 === undefined) {
      return new File([content], name, { type: type ?? "text/plain;charset=utf-8" });
    }
    const bytes = content === undefined && base64 !== undefined ? decodeBase64(base64) : null;
    if (bytes !== null) return new File([bytes], name, { type: type ?? "application/octet-stream" });
    context.addIssue({ code: "custom", params: { expected: "either content (text) or base64" } });
    return z.NEVER;
  });

/** Decodes base64, which programs break into lines; null for other text. No pattern can match the text of a large file. */
function decodeBase64(text: string): Buffer<ArrayBuffer> | null {
  const digits = text.replace(/[\s=]+/g, "");
  const bytes = Buffer.from(digits, "base64");
  return bytes.toString("base64").replaceAll("=", "") === digits ? bytes : null;
}

/** Files by the name of their field; a list repeats the field. */
export const filesSchema: z.ZodType<Files> = namedValues(
  z.union([fileSchema.transform((file) => [file]), z.array(fileSchema).min(1)]),
);

const JSON_TYPE = "application/json";

/**
 * Encodes a body: text stays as it is, an object becomes a form if the content type is that of a form, files become a
 * multipart form, and every other value becomes JSON. Contradictory inputs become issues, before anything is sent.
 */
export function encodeBody(input: BodyInput, context: z.RefinementCtx): EncodedBody {
  const encoded = encode(input, context);
  const text = typeof encoded.body === "string" ? encoded.body : "";
  if (!isWellFormed(text)) refuse(context, "body", WELL_FORMED_TEXT);
  if (!isUtf8Type(input.contentType) && /[^\0-\x7f]/.test(text)) {
    refuse(
      context,
      "body",
      "ASCII characters, for the body is sent in UTF-8 and the content-type names another charset",
    );
  }
  return encoded;
}

function encode({ body, form, files, contentType }: BodyInput, context: z.RefinementCtx): EncodedBody {
  const type = contentType === undefined ? undefined : mediaTypeOf(contentType);
  if (files !== undefined) return encodeMultipart({ body, form, files, contentType }, context);
  if (form !== undefined) return encodeForm(form, body, type, context);
  if (body === undefined) return { body: undefined };
  if (typeof body === "string") {
    if (isJsonType(type) && !isJson(body)) refuse(context, "body", "JSON, as the content-type says");
    return { body };
  }
  if (type === FORM_TYPE) return { body: readParameters(body, context)?.toString() };
  if (type !== undefined && !isJsonType(type)) {
    refuse(context, "body", "text, for the content-type is neither that of JSON nor that of a form");
  }
  const text = toJsonText(body);
  if (text === undefined) refuse(context, "body", "text or a JSON value");
  return { body: text, ...(type === undefined ? { contentType: JSON_TYPE } : {}) };
}

function encodeForm(
  form: URLSearchParams,
  body: unknown,
  type: string | undefined,
  context: z.RefinementCtx,
): EncodedBody {
  if (body !== undefined) refuse(context, "form", "either body or form, not both");
  if (type !== undefined && type !== FORM_TYPE) refuse(context, "form", `no content-type but ${FORM_TYPE} beside it`);
  return { body: form.toString(), ...(type === undefined ? { contentType: FORM_TYPE } : {}) };
}

/** Encodes files and the fields of `form` (RFC 7578). The boundary, and with it the content type, comes with the body. */
function encodeMultipart({ body, form, files = {}, contentType }: BodyInput, context: z.RefinementCtx): EncodedBody {
  if (body !== undefined) refuse(context, "files", "either body or files, not both");
  if (contentType !== undefined) refuse(context, "files", "no content-type beside them: it is set with their boundary");
  const parts = Object.entries(files).flatMap(([name, list]) => list.map((file) => [name, file] as const));
  return { body: [...(form ?? []), ...parts] };
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

function refuse(context: z.RefinementCtx, input: "body" | "form" | "files", expected: string): void {
  context.addIssue({ code: "custom", path: [input], params: { expected } });
}
