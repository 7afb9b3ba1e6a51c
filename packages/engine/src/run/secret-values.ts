import { objectContent, secretTexts } from "@autokestra/plugin-sdk/host";
import type { MaskCount, ResolvedSecret, SecretFields } from "@autokestra/secrets-core";
import { type FieldValue, secrecyOf } from "@autokestra/secrets-core/internal";
import type { NamedMaskInput } from "@autokestra/secrets-masker";
import { EVERY } from "../workflow/workflow.ts";

/** A value to mask, and its name in reports. */
export interface MaskedValue {
  readonly name: string;
  readonly value: string;
}

/** The same, for a masker: values that become secret during a run count only where they are new. */
export type YieldingValue = MaskedValue & Pick<NamedMaskInput, "yields">;

/** Pairs of fields that HTTP Basic and the userinfo of a URL send together: a name and a secret. */
const CREDENTIALS = [
  ["username", "password"],
  ["clientId", "clientSecret"],
] as const;

/**
 * Returns everything to mask for these secrets: each masked field, and the credentials that two fields make. The masker
 * itself finds values inside structured ones, such as JSON.
 */
export function secretValues(secrets: readonly ResolvedSecret[]): MaskedValue[] {
  return secrets.flatMap(({ name, type, fields, flags }) => {
    const secrecy = secrecyOf(type, fields, flags);
    const masked = secrecy.flatMap((field) => (field.masked ? textsOf(fields[field.name]) : []));
    const shown = new Set(secrecy.flatMap((field) => (field.public ? [field.name] : [])));
    return [...masked, ...credentials(fields, shown)].map((value) => ({ name, value }));
  });
}

function textsOf(value: FieldValue | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === "object" ? value : [String(value)];
}

/**
 * Returns `user:password` and its base64 (RFC 7617). The base64 is a value of its own, because an echoed request can be
 * encoded once more. OAuth form-encodes both parts first (RFC 6749, 2.3.1), and URLs percent-encode them.
 */
function credentials(fields: SecretFields, shown: ReadonlySet<string>): string[] {
  return CREDENTIALS.flatMap(([userField, secretField]) => {
    const user = fields[userField];
    const secret = fields[secretField];
    if (user === undefined || secret === undefined || shown.has(secretField)) return [];
    const pairs = [String, encodeURIComponentSafely, encodeForm].map(
      (encode) => `${encode(String(user))}:${encode(String(secret))}`,
    );
    return [...new Set(pairs)].flatMap((pair) => [pair, Buffer.from(pair).toString("base64")]);
  });
}

/** Goes through bytes, because `encodeURIComponent` throws on lone surrogates. */
function encodeURIComponentSafely(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}

function encodeForm(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}

/** What an output has at one path. */
interface SecretOutput {
  readonly path: string;
  /** False if the output has nothing there. */
  readonly isThere: boolean;
  readonly texts: readonly string[];
}

/** Finds what an output has at these paths. In an output that is a single value, `*` stands for that value. */
export function findSecretOutputs(paths: readonly string[], output: unknown): SecretOutput[] {
  return paths.map((path) => {
    const found = isObject(output) ? follow(path.split("."), output) : { isThere: path === EVERY, values: [output] };
    return { path, isThere: found.isThere, texts: found.isThere ? found.values.flatMap(secretTexts) : [] };
  });
}

/** An empty list at a `*` counts as there, with nothing in it. */
function follow(segments: readonly string[], output: unknown): { isThere: boolean; values: unknown[] } {
  let values = [output];
  for (const segment of segments) {
    const parts = values.filter(isObject).map(objectContent);
    if (segment === EVERY && parts.length > 0 && parts.every((part) => Object.keys(part).length === 0)) {
      return { isThere: true, values: [] };
    }
    values = parts.flatMap((part) =>
      segment === EVERY ? Object.values(part) : Object.hasOwn(part, segment) ? [Reflect.get(part, segment)] : [],
    );
  }
  return { isThere: values.length > 0, values };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

type Counts = Readonly<Record<string, MaskCount>>;

/** Adds the counts of two maskers. */
export function addCounts(one: Counts, other: Counts): Record<string, MaskCount> {
  const names = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return Object.fromEntries(
    names.map((name) => {
      const counts = [one, other].flatMap((source) => (Object.hasOwn(source, name) ? (source[name] ?? []) : []));
      const variants = new Set(counts.flatMap((count) => count.variants));
      return [name, { count: counts.reduce((sum, { count }) => sum + count, 0), variants: [...variants] }];
    }),
  );
}
