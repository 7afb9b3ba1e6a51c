import {
  AutokestraError,
  metadataToJson,
  type SecretFilter,
  type SecretMetadata,
  type SecretType,
} from "@autokestra/secrets-core";
import { parseMoment, parseSecretType, TIME_EXAMPLES } from "@autokestra/secrets-core/internal";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod/v4";
import type { FoundSecrets } from "./found-secrets.ts";
import { invalidQuery } from "./problem.ts";
import * as schemas from "./schemas.ts";

/** What the list works with. */
interface ListCall {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly found: FoundSecrets;
}

/** Answers with a page of secrets, and with the place of the next one. */
export async function listSecrets({ request, reply, found }: ListCall): Promise<object> {
  const query = request.query as z.output<typeof schemas.listQuerySchema>;
  const { skip, limit, type, tag, prefix, expiresBefore, state, cursor } = query;
  const filter: SecretFilter = {
    type: type === undefined ? undefined : readType(type),
    tags: tag === undefined ? undefined : [tag].flat(),
    prefix,
    expiresBefore: expiresBefore === undefined ? undefined : readTime(expiresBefore),
    state,
  };
  const start = cursor === undefined ? {} : readCursor(cursor);
  const { secrets, last } = await found.page({ ...filter, ...start, skip }, limit);
  reply.header("x-total-count", await found.count(filter));
  if (last !== null) reply.header("link", `<${nextPage(request.url, last)}>; rel="next"`);
  return secrets.map(metadataToJson);
}

function nextPage(url: string, { name, id }: SecretMetadata): string {
  const [path = "", query = ""] = url.split("?", 2);
  const parameters = new URLSearchParams(query);
  parameters.delete("skip");
  parameters.set("cursor", `${name}.${id}`);
  return `${path}?${parameters.toString()}`;
}

/** A cursor is a position in the order of secrets, and reveals nothing that a caller may not see. */
function readCursor(text: string): Pick<SecretFilter, "after" | "afterId"> {
  const [, after, afterId] = schemas.CURSOR.exec(text) ?? [];
  return { after, afterId };
}

function readTime(text: string | number): string {
  const moment = parseMoment(text, () => new Date().toISOString());
  if (moment !== null) return moment;
  throw invalidQuery("expiresBefore", `is not a time, such as ${TIME_EXAMPLES}`);
}

/** @throws AutokestraError `VALUE_INVALID` */
export function readType(text: string): SecretType {
  const type = parseSecretType(text);
  if (type !== null) return type;
  throw new AutokestraError("VALUE_INVALID", "There is no such type of secret");
}
