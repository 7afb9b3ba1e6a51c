import { describe, expect, it } from "vitest";
import { holdsToken } from "../src/internal.ts";

describe("holdsToken", () => {
  it.each([
    "sk_live_x",
    "Bearer ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "https://glpat-abc@host/x",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    "-----BEGIN RSA PRIVATE KEY-----",
  ])("finds one in %j", (text) => expect(holdsToken(text)).toBe(true));

  it.each([
    "task_live_x",
    "sk_live_",
    "AKIA",
    "npm_config_registry",
    "hvs",
    "risk-averse",
    "-----BEGIN CERTIFICATE-----",
    "",
  ])("finds none in %j", (text) => expect(holdsToken(text)).toBe(false));
});
