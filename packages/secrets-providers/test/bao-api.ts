import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** What a test sets up on the server, as the root. It waits for an engine that was mounted just now. */
export function createBaoApi({ address, token }: { readonly address: string; readonly token: string }, namespace = "") {
  return async function ask(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${address}/v1/${path}`, {
      method,
      headers: { "x-vault-token": token, ...(namespace !== "" && { "x-vault-namespace": namespace }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status === 400 && text.includes("will resume service shortly")) {
      await sleep(50);
      return await ask(method, path, body);
    }
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    const json = text === "" ? {} : JSON.parse(text);
    return json.auth ?? json.data ?? {};
  };
}

/** The policies in the documentation, in their order. */
export function documentedPolicies(): string[] {
  const text = readFileSync(new URL("../../../docs/providers/vault.md", import.meta.url), "utf8");
  return [...text.matchAll(/```hcl\n(.*?)```/gs)].map(([, policy = ""]) => policy);
}
