import type { AuditContext } from "@autokestra/secrets";
import {
  hasCode,
  metadataToJson,
  RETENTION_DAYS,
  type SecretMetadata,
  type SecretService,
} from "@autokestra/secrets-core";
import { fieldsOfValue } from "@autokestra/secrets-core/internal";
import type { FastifyInstance } from "fastify";
import type { z } from "zod/v4";
import type { AccessControl } from "./access-control.ts";
import { type ApiCall, type ApiPart, type ApiRoute, addApiRoute, linksTo } from "./api-route.ts";
import {
  checkMatch,
  checkReach,
  etagOf,
  FoundSecrets,
  matches,
  preconditionFailed,
  refuseTaken,
} from "./found-secrets.ts";
import { listSecrets, readType } from "./list-secrets.ts";
import * as schemas from "./schemas.ts";

/** What the routes of secrets work with. */
export interface SecretRouteOptions {
  /** The secrets as one caller has them, whose reads and changes are recorded: `as` of a SecretsManager. */
  readonly secretsFor: (context: AuditContext) => SecretService;
  /** Told of each attempt to read a value, for counters. Default: nobody is. */
  readonly onReveal?: ((outcome: "given" | "failed") => void) | undefined;
}

/** What a route works with. */
interface SecretCall extends ApiCall {
  readonly found: FoundSecrets;
  readonly onReveal: SecretRouteOptions["onReveal"];
}

/** Adds the routes to a server that has the rules of HTTP, and that has told who makes a request before the route is called. */
export function addSecretRoutes(
  app: FastifyInstance,
  access: AccessControl,
  { secretsFor, onReveal }: SecretRouteOptions,
): void {
  const part: ApiPart<SecretCall> = {
    access,
    secretsFor,
    tag: "secrets",
    toCall: (call) => ({ ...call, found: new FoundSecrets(call.secrets, call.principal), onReveal }),
  };
  for (const route of SECRET_ROUTES) {
    addApiRoute(app, part, route, {
      // A value in the answer to HEAD would be as good as none, and recorded as given out.
      exposeHeadRoute: route.permission !== "secrets:reveal",
      ...(route.status === 201 && { links: { 201: LINKS } }),
    });
  }
}

/** The calls that take the id of a new secret. */
const LINKS = linksTo("id", ["getSecret", "revealSecret", "listVersions", "changeSecret", "deleteSecret"]);

const SECRET_ROUTES: readonly ApiRoute<SecretCall>[] = [
  {
    method: "GET",
    url: "/",
    permission: "secrets:read",
    operationId: "listSecrets",
    summary: "List secrets without their values, in the order of their names",
    query: schemas.listQuerySchema,
    answer: schemas.withHeaders(schemas.metadataListSchema, "Link", "X-Total-Count"),
    refusals: [400],
    handle: listSecrets,
  },
  {
    method: "GET",
    url: "/:id",
    permission: "secrets:read",
    operationId: "getSecret",
    summary: "Show a secret without its value",
    params: schemas.idSchema,
    headers: schemas.ifNoneMatchSchema,
    answer: schemas.withHeaders(schemas.metadataSchema, "ETag"),
    refusals: [304, 400, 404],
    handle: async (call) => await answerWith(call, await call.found.byId(idOf(call))),
  },
  {
    method: "GET",
    url: "/name/:name",
    permission: "secrets:read",
    operationId: "getSecretByName",
    summary: "Show the secret of a name without its value",
    params: schemas.nameSchema,
    headers: schemas.ifNoneMatchSchema,
    answer: schemas.withHeaders(schemas.metadataSchema, "ETag"),
    refusals: [304, 400, 404],
    handle: async (call) => await answerWith(call, await call.found.byName(nameOf(call))),
  },
  {
    method: "GET",
    url: "/:id/decrypt",
    permission: "secrets:reveal",
    operationId: "revealSecret",
    summary: "Read the value of a secret. It is recorded before it is sent",
    params: schemas.idSchema,
    query: schemas.revealQuerySchema,
    answer: schemas.revealedSchema,
    refusals: [400, 404],
    handle: revealSecret,
  },
  {
    method: "GET",
    url: "/:id/fields",
    permission: "secrets:read",
    operationId: "listFields",
    summary: "List the fields of a secret without their values, and how they are treated. It is recorded as describe",
    params: schemas.idSchema,
    answer: schemas.fieldsSchema,
    refusals: [400, 404],
    handle: async (call) => await call.found.fields(idOf(call)),
  },
  {
    method: "GET",
    url: "/:id/versions",
    permission: "secrets:read",
    operationId: "listVersions",
    summary: "List the versions of a secret without their values, the newest first",
    params: schemas.idSchema,
    answer: schemas.metadataListSchema,
    refusals: [400, 404],
    handle: listVersions,
  },
  {
    method: "POST",
    url: "/",
    permission: "secrets:write",
    operationId: "createSecret",
    summary: "Store a new secret",
    body: schemas.newSecretSchema,
    answer: schemas.withHeaders(schemas.metadataSchema, "Location", "ETag"),
    status: 201,
    refusals: [400, 409, 413, 415],
    handle: createSecret,
  },
  {
    method: "PUT",
    url: "/:id",
    permission: "secrets:write",
    operationId: "changeSecret",
    summary: "Change a secret: its name, its value, its metadata. What is not given stays",
    params: schemas.idSchema,
    body: schemas.changeSchema,
    headers: schemas.ifMatchSchema,
    answer: schemas.withHeaders(schemas.metadataSchema, "ETag"),
    refusals: [400, 404, 409, 412, 413, 415],
    handle: changeSecret,
  },
  {
    method: "DELETE",
    url: "/:id",
    permission: "secrets:write",
    operationId: "deleteSecret",
    summary: "Delete a secret",
    params: schemas.idSchema,
    query: schemas.deleteQuerySchema,
    headers: schemas.ifMatchSchema,
    answer: schemas.messageSchema,
    refusals: [400, 404, 409, 412, 415],
    handle: deleteSecret,
  },
  {
    method: "POST",
    url: "/:id/rollback",
    permission: "secrets:write",
    operationId: "rollBackSecret",
    summary: "Store the value of an older version as the newest one",
    params: schemas.idSchema,
    body: schemas.rollbackSchema,
    answer: schemas.withHeaders(schemas.metadataSchema, "ETag"),
    refusals: [400, 404, 409, 413, 415],
    handle: rollBackSecret,
  },
  {
    method: "POST",
    url: "/:id/restore",
    permission: "secrets:write",
    operationId: "restoreSecret",
    summary: "Bring a deleted secret back",
    params: schemas.idSchema,
    body: schemas.emptyBodySchema,
    answer: schemas.withHeaders(schemas.metadataSchema, "ETag"),
    refusals: [400, 404, 409, 413, 415],
    handle: restoreSecret,
  },
];

function idOf({ request }: SecretCall): string {
  return (request.params as z.output<typeof schemas.idSchema>).id;
}

function nameOf({ request }: SecretCall): string {
  return (request.params as z.output<typeof schemas.nameSchema>).name;
}

/** Answers with the metadata of a secret and its ETag, or says that the client has them. */
async function answerWith({ request, reply }: SecretCall, metadata: SecretMetadata): Promise<object> {
  reply.header("etag", etagOf(metadata));
  const known = request.headers["if-none-match"];
  const isKnown =
    known !== undefined && (request.method === "GET" || request.method === "HEAD") && matches(known, metadata);
  return isKnown ? await reply.code(304).send() : metadataToJson(metadata);
}

async function revealSecret(call: SecretCall): Promise<object> {
  const { version, field } = call.request.query as z.output<typeof schemas.revealQuerySchema>;
  try {
    const { metadata, value, fields } = await call.found.reveal(idOf(call), version, field);
    call.onReveal?.("given");
    return { ...metadataToJson(metadata), value, fields };
  } catch (error) {
    call.onReveal?.("failed");
    throw error;
  }
}

async function listVersions(call: SecretCall): Promise<readonly object[]> {
  const { name, id } = await call.found.byId(idOf(call));
  const versions = await call.secrets.versions(name);
  return versions.filter((version) => version.id === id).map(metadataToJson);
}

async function createSecret({ request, reply, principal, secrets }: SecretCall): Promise<object> {
  const { value, fields, type: typeText, ...more } = request.body as z.output<typeof schemas.newSecretSchema>;
  const type = typeText === undefined ? (fields === undefined ? "apiKey" : "custom") : readType(typeText);
  // Before anything is looked up: whether a hidden secret has the name is not for everybody.
  checkReach(principal, more.name, more.tags ?? []);
  const given = fields ?? fieldsOfValue(more.name, type, value ?? "", null);
  const metadata = await secrets.create({ ...more, type, fields: given }).catch(refuseTaken(more.name));
  const base = request.url.split("?", 1).join("").replace(/\/$/, "");
  reply.header("location", `${base}/${metadata.id}`);
  reply.header("etag", etagOf(metadata));
  return metadataToJson(metadata);
}

async function changeSecret(call: SecretCall): Promise<object> {
  const { body, headers } = call.request;
  const change = body as z.output<typeof schemas.changeSchema>;
  return await answerWith(call, await call.found.change(idOf(call), change, headers["if-match"] ?? null));
}

async function rollBackSecret(call: SecretCall): Promise<object> {
  const { to } = call.request.body as z.output<typeof schemas.rollbackSchema>;
  return await answerWith(call, await call.found.rollback(idOf(call), to));
}

async function restoreSecret(call: SecretCall): Promise<object> {
  const { name, id } = await call.found.byId(idOf(call), "deleted");
  return await answerWith(call, await call.secrets.restore(name, { id }).catch(refuseTaken(name)));
}

async function deleteSecret(call: SecretCall): Promise<object> {
  const { request, found, secrets } = call;
  const { purge } = request.query as z.output<typeof schemas.deleteQuerySchema>;
  const isFinal = purge === "true";
  const metadata = await found.byId(idOf(call), isFinal ? "all" : "active");
  const { "if-match": ifMatch = "*" } = request.headers;
  checkMatch(ifMatch, metadata);
  const { name, id, revision } = metadata;
  const ifRevision = ifMatch.trim() === "*" ? undefined : revision;
  await secrets.delete(name, { id, purge: isFinal, ifRevision }).catch((error: unknown) => {
    throw ifRevision !== undefined && hasCode(error, "VERSION_CONFLICT") ? preconditionFailed() : error;
  });
  const message = isFinal
    ? `Secret '${name}' is removed for good`
    : `Secret '${name}' is deleted; it can be restored for ${RETENTION_DAYS} days`;
  return { message };
}
