import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

/** A request that says it may start a workflow. */
export interface WebhookRequest {
  /** Of one request: names in lower case, as Node.js has them. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body as it came, byte by byte. */
  readonly body: Uint8Array;
}

/**
 * What became of it. `accepted`: its sender has the secret; `id` is the sender's name for this message, the same when it is sent
 * again, and null for a bearer token. `late`: the signature is right, but the message is too old, or from the future.
 */
export type WebhookAnswer =
  | { readonly result: "accepted"; readonly id: string | null }
  | { readonly result: "late" }
  | { readonly result: "refused" };

/** How far the clock of the sender may be off, in seconds. */
const WEBHOOK_SECONDS = 300;

const REFUSED: WebhookAnswer = { result: "refused" };
const ID = /^[\x21-\x7e]{1,255}$/;
const TIMESTAMP = /^\d{1,12}$/;
const MAX_SIGNATURES = 10;
const BASE64 = /^[A-Za-z0-9+/]{43}=$/;

/**
 * Verifies a webhook. `hmac-sha256` is the format of Standard Webhooks (https://www.standardwebhooks.com): `webhook-id`,
 * `webhook-timestamp` in seconds, and `webhook-signature`, one or more of `v1,BASE64`, separated by spaces, over
 * `ID.TIMESTAMP.BODY`. `bearer` wants the secret in the `Authorization` header. Secrets are compared in constant time.
 *
 * @param secret with the prefix `whsec_`, the base64 of the key; otherwise the key itself
 */
export function verifyWebhook(
  signature: "hmac-sha256" | "bearer",
  secret: string,
  request: WebhookRequest,
  now: number = Date.now(),
): WebhookAnswer {
  if (secret === "") return REFUSED;
  return signature === "bearer" ? verifyBearer(secret, request) : verifyHmac(secret, request, now);
}

function verifyHmac(secret: string, { headers, body }: WebhookRequest, now: number): WebhookAnswer {
  const [id, timestamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(
    (name) => headers[name],
  );
  if (typeof id !== "string" || typeof timestamp !== "string" || typeof signatures !== "string") return REFUSED;
  if (!ID.test(id) || !TIMESTAMP.test(timestamp)) return REFUSED;
  const right = createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.`).update(body).digest();
  const given = signatures
    .split(" ", MAX_SIGNATURES)
    .flatMap((text) =>
      text.startsWith("v1,") && BASE64.test(text.slice(3)) ? [Buffer.from(text.slice(3), "base64")] : [],
    );
  if (!given.some((mac) => timingSafeEqual(mac, right))) return REFUSED;
  // After the signature: the time of a message that was not signed means nothing.
  const isLate = Math.abs(now / 1000 - Number(timestamp)) > WEBHOOK_SECONDS;
  return isLate ? { result: "late" } : { result: "accepted", id };
}

function verifyBearer(secret: string, { headers }: WebhookRequest): WebhookAnswer {
  const { authorization } = headers;
  const given = typeof authorization === "string" ? /^Bearer +(\S+)$/i.exec(authorization)?.[1] : undefined;
  if (given === undefined) return REFUSED;
  // Under a key of the moment: how long the comparison takes says nothing about the secret, nor about its length.
  const key = randomBytes(32);
  const [one, other] = [secret, given].map((text) => createHmac("sha256", key).update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other)
    ? { result: "accepted", id: null }
    : REFUSED;
}

function keyOf(secret: string): Uint8Array {
  const prefix = "whsec_";
  return secret.startsWith(prefix) ? Buffer.from(secret.slice(prefix.length), "base64") : Buffer.from(secret);
}
