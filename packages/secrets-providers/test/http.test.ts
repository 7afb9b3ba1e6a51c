import { afterAll, describe, expect, it } from "vitest";
import { createHttpProvider } from "../src/http.ts";
import {
  providerFaultContract,
  type SeenRequest,
  type SoundAnswer,
  secretProviderContract,
  startTestServer,
} from "../src/testing/index.ts";

const TOKEN = "canary-token-1c5f";

function answer({ path, headers }: SeenRequest): SoundAnswer {
  if (headers.authorization !== `Bearer ${TOKEN}`) return { status: 401, body: {} };
  return path === "/v1/db" ? { body: { data: { user: "u", password: "canary-value" } } } : { status: 404, body: {} };
}

const open = (address: string) => createHttpProvider({ url: `${address}/v1/{name}`, token: TOKEN, pointer: "/data" });

describe("the contract", async () => {
  const server = await startTestServer(answer);
  afterAll(async () => await server.close());
  const stored = { path: "db", value: { user: "u", password: "canary-value" } };
  secretProviderContract({ it, expect, open: () => open(server.address), stored, missing: "none" });
});

describe("faults", () => {
  providerFaultContract({
    it,
    expect,
    open: (address, onCall) =>
      createHttpProvider({ url: `${address}/v1/{name}`, token: TOKEN, pointer: "/data", onCall }),
    answer,
    path: "db",
    canaries: [TOKEN, "canary-value"],
    onFigures: (figures) => process.env["FIGURES"] && console.log(figures),
  });
});
