import { expect, it } from "vitest";
import { startMoto } from "../servers.mjs";

/** What AWS's own client sends, but for a signature: moto reads only who claims to sign, and for which service. */
const headers = {
  "content-type": "application/x-amz-json-1.1",
  "x-amz-target": "secretsmanager.ListSecrets",
  authorization: "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/secretsmanager/aws4_request, Signature=any",
};

it("is an empty account, and tells what it was asked", async () => {
  const { endpoint, output, close } = await startMoto();
  try {
    expect(new URL(endpoint).hostname).toBe("127.0.0.1");
    const response = await fetch(endpoint, { method: "POST", headers, body: "{}" });
    expect(await response.json()).toMatchObject({ SecretList: [] });
    await expect.poll(output).toContain('"POST / HTTP/1.1" 200');
  } finally {
    await close();
  }
});
