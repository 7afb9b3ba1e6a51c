import { afterAll, beforeAll, expect, it } from "vitest";
import { type OpenBao, startOpenBao } from "../servers.mjs";

let bao: OpenBao;
beforeAll(async () => {
  bao = await startOpenBao();
});
afterAll(async () => await bao.close());

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  return await fetch(`${bao.address}/v1/${path}`, { headers: { "X-Vault-Token": bao.token }, ...init });
}

it("is healthy, on loopback only", async () => {
  expect(new URL(bao.address).hostname).toBe("127.0.0.1");
  expect(await (await ask("sys/health")).json()).toMatchObject({ initialized: true, sealed: false, version: "2.7.2" });
});

it("knows its own token and no other", async () => {
  expect((await ask("auth/token/lookup-self")).status).toBe(200);
  expect((await ask("auth/token/lookup-self", { headers: { "X-Vault-Token": "root" } })).status).toBe(403);
});

it("has KV version 2 at secret/", async () => {
  expect(await (await ask("sys/mounts/secret")).json()).toMatchObject({ type: "kv", options: { version: "2" } });
});

it("is sealed, and unsealed with its key", async () => {
  expect((await ask("sys/seal", { method: "PUT" })).status).toBe(204);
  expect((await ask("sys/health")).status).toBe(503);
  const unsealed = await ask("sys/unseal", { method: "PUT", body: JSON.stringify({ key: bao.unsealKey }) });
  expect(await unsealed.json()).toMatchObject({ sealed: false });
});
