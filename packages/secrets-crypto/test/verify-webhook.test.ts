import { createHmac, randomInt } from "node:crypto";
import { describe, expect, it } from "vitest";
import { verifyWebhook, type WebhookRequest } from "../src/verify-webhook.ts";

const NOW = Date.parse("2026-11-30T12:00:00Z");
const SECONDS = NOW / 1000;
const SECRET = "the-secret-of-the-hook";
const BODY = Buffer.from('{"event":"push"}');

function sign(
  id: string,
  timestamp: number | string,
  body: Uint8Array = BODY,
  key: string | Uint8Array = SECRET,
): string {
  return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64")}`;
}

function message(more: WebhookRequest["headers"] = {}, body: Uint8Array = BODY): WebhookRequest {
  return {
    body,
    headers: {
      "webhook-id": "msg_1",
      "webhook-timestamp": String(SECONDS),
      "webhook-signature": sign("msg_1", SECONDS),
      ...more,
    },
  };
}

const resultOf = async (request: WebhookRequest, secret = SECRET) =>
  verifyWebhook("hmac-sha256", secret, request, NOW).result;

describe("hmac-sha256", () => {
  it("takes the example of Standard Webhooks", async () => {
    // https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const body = Buffer.from('{"test": 2432232314}');
    const headers = {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    };
    expect(verifyWebhook("hmac-sha256", secret, { headers, body }, 1_614_265_330_000)).toEqual({
      result: "accepted",
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    });
  });

  it.each<[string, WebhookRequest, string]>([
    ["right", message(), "accepted"],
    [
      "right among others",
      message({ "webhook-signature": `v1a,x ${sign("m", 1)} ${sign("msg_1", SECONDS)}` }),
      "accepted",
    ],
    [
      "right, of an empty body",
      message({ "webhook-signature": sign("msg_1", SECONDS, Buffer.alloc(0)) }, Buffer.alloc(0)),
      "accepted",
    ],
    [
      "300 seconds old",
      message({ "webhook-timestamp": String(SECONDS - 300), "webhook-signature": sign("msg_1", SECONDS - 300) }),
      "accepted",
    ],
    [
      "301 seconds old",
      message({ "webhook-timestamp": String(SECONDS - 301), "webhook-signature": sign("msg_1", SECONDS - 301) }),
      "late",
    ],
    [
      "from the future",
      message({ "webhook-timestamp": String(SECONDS + 301), "webhook-signature": sign("msg_1", SECONDS + 301) }),
      "late",
    ],
    ["of another secret", message({ "webhook-signature": sign("msg_1", SECONDS, BODY, "another") }), "refused"],
    ["of another body", message({}, Buffer.from('{"event":"pull"}')), "refused"],
    ["of another id", message({ "webhook-id": "msg_2" }), "refused"],
    ["of another time", message({ "webhook-timestamp": String(SECONDS + 1) }), "refused"],
    [
      "with a time that is none",
      message({ "webhook-timestamp": "1e9", "webhook-signature": sign("msg_1", "1e9") }),
      "refused",
    ],
    [
      "with a negative time",
      message({ "webhook-timestamp": "-1", "webhook-signature": sign("msg_1", "-1") }),
      "refused",
    ],
    ["without a version", message({ "webhook-signature": sign("msg_1", SECONDS).slice(3) }), "refused"],
    ["empty", message({ "webhook-signature": "v1," }), "refused"],
    ["beyond the tenth", message({ "webhook-signature": `${"v1,x ".repeat(10)}${sign("msg_1", SECONDS)}` }), "refused"],
    ["without a signature", message({ "webhook-signature": undefined }), "refused"],
    ["with two ids", message({ "webhook-id": ["msg_1", "msg_1"] }), "refused"],
    ["without an id", message({ "webhook-id": "", "webhook-signature": sign("", SECONDS) }), "refused"],
    [
      "with a line break in its id",
      message({ "webhook-id": "a\nb", "webhook-signature": sign("a\nb", SECONDS) }),
      "refused",
    ],
  ])("%s", async (_, request, result) => {
    expect(await resultOf(request)).toBe(result);
  });

  it("takes nothing with an empty secret", async () => {
    expect(await resultOf(message({ "webhook-signature": sign("msg_1", SECONDS, BODY, "") }), "")).toBe("refused");
  });

  it("of 1 000 messages, right, wrong and old, takes the right ones", async () => {
    const wanted = { accepted: 0, late: 0, refused: 0 };
    const answers = { accepted: 0, late: 0, refused: 0 };
    for (let index = 0; index < 1000; index++) {
      const kind = (["accepted", "late", "refused"] as const)[randomInt(3)] ?? "refused";
      const time = kind === "late" ? SECONDS - 301 - randomInt(1_000_000) : SECONDS - 300 + randomInt(601);
      const body = Buffer.from(JSON.stringify({ index }));
      const right = sign(`msg_${index}`, time, body);
      const at = 3 + randomInt(right.length - 5);
      const wrong = `${right.slice(0, at)}${right[at] === "A" ? "B" : "A"}${right.slice(at + 1)}`;
      const headers = {
        "webhook-id": `msg_${index}`,
        "webhook-timestamp": String(time),
        "webhook-signature": kind === "refused" ? wrong : right,
      };
      wanted[kind] += 1;
      answers[verifyWebhook("hmac-sha256", SECRET, { headers, body }, NOW).result] += 1;
    }
    expect(answers).toEqual(wanted);
  });
});

describe("bearer", () => {
  it.each<[string, string | undefined, string]>([
    ["right", `Bearer ${SECRET}`, "accepted"],
    ["right, in other letters", `bearer  ${SECRET}`, "accepted"],
    ["wrong", `Bearer ${SECRET}x`, "refused"],
    ["of another scheme", `Basic ${SECRET}`, "refused"],
    ["none", undefined, "refused"],
  ])("%s", async (_, authorization, result) => {
    const answer = verifyWebhook("bearer", SECRET, { headers: { authorization }, body: BODY });
    expect(answer.result).toBe(result);
  });
});
