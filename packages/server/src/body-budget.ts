import { Transform } from "node:stream";
import type { FastifyReply, FastifyRequest, RequestPayload } from "fastify";
import { keyOf } from "./principal.ts";
import { addressKey, rateLimited } from "./rate-limiter.ts";

export interface BodyBudgetOptions {
  /** How many bytes of bodies one token, or one address without a token, may have under way. Default: 16 MiB. */
  readonly ofOne?: number | undefined;
  /** How many all may have. Default: 64 MiB. */
  readonly ofAll?: number | undefined;
}

/**
 * Limits the memory that bodies take, from their first byte until their request is answered. Each is small, but a client can send a thousand
 * of them at once, all but their ends, and webhooks are read before their sender is known.
 */
export interface BodyBudget {
  /** The body to read instead. It fails with `RATE_LIMITED` as soon as it is too much. */
  watch(request: FastifyRequest, reply: FastifyReply, body: RequestPayload): RequestPayload;
}

/** So small that as many as there can be connections do no harm. */
const SMALL_BYTES = 16 * 1024;

const RETRY_SECONDS = 1;
const MIB = 1024 * 1024;

export function createBodyBudget({ ofOne = 16 * MIB, ofAll = 64 * MIB }: BodyBudgetOptions = {}): BodyBudget {
  const held = new Map<string, number>();
  let heldByAll = 0;

  function hold(key: string, bytes: number): void {
    const ofKey = (held.get(key) ?? 0) + bytes;
    heldByAll += bytes;
    if (ofKey === 0) held.delete(key);
    else held.set(key, ofKey);
  }

  return {
    watch(request, reply, body) {
      // Without both headers there is no body.
      const { "content-length": length = "0", "transfer-encoding": coding } = request.headers;
      if (coding === undefined && Number(length) <= SMALL_BYTES) return body;
      const key = senderOf(request);
      let bytes = 0;
      const counted = new Transform({
        transform(chunk: Buffer, _, done) {
          if ((held.get(key) ?? 0) + chunk.length > ofOne || heldByAll + chunk.length > ofAll) {
            return done(rateLimited(RETRY_SECONDS));
          }
          hold(key, chunk.length);
          bytes += chunk.length;
          done(null, chunk);
        },
      });
      // Its reader may have stopped, because it is too large.
      counted.on("error", () => undefined);
      reply.raw.once("close", () => {
        counted.destroy();
        hold(key, -bytes);
      });
      return body.pipe(counted);
    },
  };
}

function senderOf({ principal, ip }: FastifyRequest): string {
  return principal === null ? addressKey(ip) : keyOf(principal);
}
