import { parseSecretName, type Reference, type SecretSource, type SourceAnswer } from "@autokestra/secrets-core";
import { describe, expect, it } from "vitest";
import { createSecretResolver } from "../src/index.ts";

function sourceOf(id: string, answers: Readonly<Record<string, SourceAnswer>>): SecretSource & { asked: string[] } {
  const asked: string[] = [];
  return {
    id,
    asked,
    async lookup(name) {
      asked.push(name);
      return answers[name] ?? { status: "notFound" };
    },
  };
}

function found(value: string): SourceAnswer {
  return { status: "found", secret: { type: "apiKey", fields: { value }, expiresAt: null } };
}

function refer(name: string, field: string | null = null): Reference & { root: "secrets" } {
  return { root: "secrets", name: parseSecretName(name), field };
}

describe("createSecretResolver", () => {
  it("takes each secret from the first source that has it, and asks once", async () => {
    const one = sourceOf("one", { A: found("a1"), C: found("c1") });
    const two = sourceOf("two", { A: found("a2"), B: found("b2") });
    const scope = await createSecretResolver([one, two]).openScope(["A", "B", "C", "A"]);
    expect(scope.secrets.map(({ name, source }) => `${name} ${source}`)).toEqual(["A one", "B two", "C one"]);
    expect(await Promise.all(["A", "B", "A"].map(async (name) => await scope.lookup(refer(name))))).toEqual([
      "a1",
      "b2",
      "a1",
    ]);
    expect([one.asked, two.asked]).toEqual([["A", "B", "C"], ["B"]]);
  });

  it("names all missing secrets, in the order of the declaration", async () => {
    const resolver = createSecretResolver([sourceOf("one", { B: found("b") })]);
    await expect(resolver.openScope(["C", "B", "A"])).rejects.toMatchObject({
      code: "SECRETS_MISSING",
      message: "Missing secrets: C, A",
    });
  });

  it("says of missing secrets what the sources know, and which of them can be restored", async () => {
    const deleted = {
      status: "notFound",
      reason: "A is deleted.",
      retainedUntil: "2030-01-01T00:00:00.000Z",
    } as const;
    const one = sourceOf("one", { A: deleted, B: deleted });
    const two = sourceOf("two", { B: found("b"), C: { status: "notFound", reason: "C was not set." } });
    await expect(createSecretResolver([one, two]).openScope(["A", "B", "C"])).rejects.toMatchObject({
      hint: "A is deleted. C was not set.",
      details: { names: ["A", "C"], retained: ["A"] },
    });
  });

  it.each(["unavailable", "denied", "malformed"] as const)("asks no other source after %s", async (status) => {
    const second = sourceOf("second", { A: found("other") });
    const resolver = createSecretResolver([sourceOf("first", { A: { status, reason: "HTTP 503" } }), second]);
    await expect(resolver.openScope(["A"])).rejects.toMatchObject({
      code: "SOURCE_FAILED",
      message: "Secret 'A' could not be read from first: HTTP 503",
    });
    expect(second.asked).toEqual([]);
  });

  it.each(["API_KEY2", "api_key", "API_KEY_", "API_KE", "_API_KEY"])(
    "does not let %s pass for API_KEY",
    async (name) => {
      const source = sourceOf("one", { API_KEY: found("a"), [name]: found("b") });
      const scope = await createSecretResolver([source]).openScope(["API_KEY"]);
      await expect(scope.lookup(refer(name))).rejects.toThrow(
        expect.objectContaining({ code: "SECRET_NOT_DECLARED", message: `Secret '${name}' not declared in workflow` }),
      );
    },
  );

  it("gives nothing to an empty declaration, and asks nobody", async () => {
    const source = sourceOf("one", { A: found("a") });
    const scope = await createSecretResolver([source]).openScope([]);
    await expect(scope.lookup(refer("A"))).rejects.toThrow("Secret 'A' not declared in workflow");
    expect(source.asked).toEqual([]);
  });

  it("gives fields, the primary value, or all fields", async () => {
    const fields = { username: "u", password: "p" };
    const answer: SourceAnswer = { status: "found", secret: { type: "basicAuth", fields, expiresAt: null } };
    const scope = await createSecretResolver([sourceOf("one", { DB: answer })]).openScope(["DB"]);
    expect(await scope.lookup(refer("DB", "password"))).toBe("p");
    expect(await scope.lookup(refer("DB"))).toEqual(fields);
    await expect(scope.lookup(refer("DB", "token"))).rejects.toThrow(
      "Field 'token' not found in secret 'DB' (fields: username, password)",
    );
    await expect(scope.lookup(refer("DB", "toString"))).rejects.toThrow("Field 'toString' not found");
  });

  it("keeps scopes apart, and empty once closed", async () => {
    const resolver = createSecretResolver([sourceOf("one", { A: found("a"), B: found("b") })]);
    const [a, b] = [await resolver.openScope(["A"]), await resolver.openScope(["B"])];
    await expect(a.lookup(refer("B"))).rejects.toThrow("not declared");
    await a.close();
    await expect(a.lookup(refer("A"))).rejects.toThrow("not declared");
    expect(a.secrets).toEqual([]);
    expect(await b.lookup(refer("B"))).toBe("b");
  });

  it("refuses a declared name that is none", async () => {
    await expect(createSecretResolver([]).openScope(["../x"])).rejects.toMatchObject({ code: "NAME_INVALID" });
  });
});
