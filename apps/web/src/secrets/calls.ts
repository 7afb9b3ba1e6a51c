import type {
  ApiField,
  ApiNewSecret,
  ApiRevealedSecret,
  ApiSecret,
  ApiSecretChange,
  ApiSecretUsage,
} from "@autokestra/server/answers";
import { type Api, pathOf } from "../api.ts";
import type { Query } from "../router.ts";

/** The calls of the API that the views of secrets make. */
export interface SecretPage {
  readonly secrets: readonly ApiSecret[];
  /** How many there are on all pages. */
  readonly total: number;
  /** Where the next page begins; null: this is the last one. */
  readonly next: string | null;
}

export async function listSecrets(api: Api, query: Query, signal?: AbortSignal): Promise<SecretPage> {
  const { body, headers } = await api.call<ApiSecret[]>("GET", "/secrets", { query, ...(signal && { signal }) });
  const [, cursor] = /[?&]cursor=([^&>]+)/.exec(headers.get("link") ?? "") ?? [];
  const total = Number(headers.get("x-total-count") ?? body.length);
  return { secrets: body, total, next: cursor === undefined ? null : decodeURIComponent(cursor) };
}

/** A secret, and the tag that says which state of it this is. */
export interface TaggedSecret {
  readonly secret: ApiSecret;
  readonly etag: string;
}

export async function getSecret(api: Api, id: string, signal: AbortSignal): Promise<TaggedSecret> {
  const { body, headers } = await api.call<ApiSecret>("GET", pathOf`/secrets/${id}`, { signal });
  return { secret: body, etag: headers.get("etag") ?? "*" };
}

export async function listFields(api: Api, id: string, signal: AbortSignal): Promise<readonly ApiField[]> {
  return await api.get(pathOf`/secrets/${id}/fields`, { signal });
}

export async function listVersions(api: Api, id: string, signal: AbortSignal): Promise<readonly ApiSecret[]> {
  return await api.get(pathOf`/secrets/${id}/versions`, { signal });
}

export async function listUsers(api: Api, id: string, signal: AbortSignal): Promise<ApiSecretUsage> {
  return await api.get(pathOf`/secrets/${id}/usage`, { signal });
}

/** The values of a secret. The server records that they were read before it sends them. */
export type SecretValues = ApiRevealedSecret["fields"];

/** @param field default: all */
export async function reveal(api: Api, id: string, query: { version?: number; field?: string }): Promise<SecretValues> {
  return (await api.get<ApiRevealedSecret>(pathOf`/secrets/${id}/decrypt`, { query })).fields;
}

export async function createSecret(api: Api, body: ApiNewSecret): Promise<ApiSecret> {
  return (await api.call<ApiSecret>("POST", "/secrets", { body })).body;
}

/** @throws ApiError `PRECONDITION_FAILED` if somebody else has changed it since */
export async function changeSecret(api: Api, { secret, etag }: TaggedSecret, body: ApiSecretChange): Promise<void> {
  await api.call("PUT", pathOf`/secrets/${secret.id}`, { body, headers: { "if-match": etag } });
}

export async function rollBack(api: Api, id: string, to: number): Promise<ApiSecret> {
  return (await api.call<ApiSecret>("POST", pathOf`/secrets/${id}/rollback`, { body: { to } })).body;
}

export async function deleteSecret(api: Api, id: string): Promise<void> {
  await api.call("DELETE", pathOf`/secrets/${id}`);
}

/** Removes a secret for good, with all its versions. */
export async function purgeSecret(api: Api, id: string): Promise<void> {
  await api.call("DELETE", pathOf`/secrets/${id}`, { query: { purge: "true" } });
}

export async function restoreSecret(api: Api, id: string): Promise<void> {
  await api.call("POST", pathOf`/secrets/${id}/restore`, { body: {} });
}
