import { type FieldValue, type ResolvedSecret, type SecretFields, secrecyOf } from "@autokestra/secrets-core";

/** A text to mask, and what reports call it. */
export interface MaskedValue {
  readonly name: string;
  readonly value: string;
}

/** A name and the value that is secret, which HTTP Basic and the userinfo of a URL send together. */
const CREDENTIALS = [
  ["username", "password"],
  ["clientId", "clientSecret"],
] as const;

/**
 * Everything that must not get out of these secrets: each masked field, and the credentials that two fields make. The masker takes
 * values apart by itself, such as JSON with further values in it.
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
 * `user:password`, and its base64 as a value of its own: an echo of a request is base64 once more where it comes back as the
 * body of an unknown type (RFC 7617). OAuth encodes both like a form before (RFC 6749, 2.3.1), URLs encode them too.
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

/** As bytes: a lone surrogate is no reason to throw. */
function encodeURIComponentSafely(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}

function encodeForm(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}
