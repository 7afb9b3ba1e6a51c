// @module-tag faults
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { SecretService } from "@autokestra/secrets-core";
import { sharedFolder } from "@autokestra/test-kit";
import { beforeAll, describe, expect, it } from "vitest";
import { diagnose, openSecretsManager, rotateKeys, type SecretsManager, type SecretsOptions } from "../src/index.ts";
import { rotateOpened } from "../src/rotate.ts";
import { inEveryOrder } from "./interleaving.ts";

const root = sharedFolder();
let options: SecretsOptions;

async function use<T>(work: (manager: SecretsManager) => Promise<T>): Promise<T> {
  const manager = await openSecretsManager(options);
  try {
    return await work(manager);
  } finally {
    await manager.secrets.close();
  }
}

const key = (name: string, value: string) => ({ name, type: "apiKey" as const, fields: { value } });

/** Name, value and description of what is not deleted, read through a fresh keyring. */
async function state(): Promise<string> {
  return await use(async ({ secrets }) => {
    const parts: string[] = [];
    for (const { name } of await secrets.list()) {
      for (const { version } of await secrets.versions(name)) {
        const { metadata, fields } = await secrets.get(name, { atVersion: version });
        parts.push(`${name}${version}=${String(fields["value"])} ${metadata.description ?? ""}`.trim());
      }
    }
    return parts.join(", ");
  });
}

/** What the doctor finds fault with. */
async function faults(): Promise<readonly string[]> {
  const findings = await use(async (manager) => await diagnose(manager));
  return findings.filter(({ status }) => status === "failure").map(({ message }) => message);
}

const FILLED = "A1=a1, A2=a2, B1=b1";
const ROTATED = "while the keys are rotated";

/** Each with the state after it, whatever is rotated meanwhile. */
const OPERATIONS: readonly (readonly [string, (secrets: SecretService) => Promise<unknown>, string])[] = [
  ["set", (s) => s.set(key("A", "a3")), "A1=a1, A2=a2, A3=a3, B1=b1"],
  ["create", (s) => s.create(key("C", "c1")), `${FILLED}, C1=c1`],
  [
    "setAll",
    (s) => s.setAll([key("A", "a3"), key("D", "d1"), key("E", "e1")]),
    `A1=a1, A2=a2, A3=a3, B1=b1, D1=d1, E1=e1`,
  ],
  ["edit", (s) => s.edit("A", { description: "edited", expiresAt: "2040-01-01" }), "A1=a1, A2=a2 edited, B1=b1"],
  ["rename", (s) => s.rename("A", "Z"), "B1=b1, Z1=a1, Z2=a2"],
  [
    "rename with a value",
    (s) => s.rename("A", "Z", {}, { value: "a3", description: "d" }),
    "B1=b1, Z1=a1, Z2=a2, Z3=a3 d",
  ],
  ["rollback", (s) => s.rollback("A", 1), "A1=a1, A2=a2, A3=a1, B1=b1"],
  ["delete", (s) => s.delete("A"), "B1=b1"],
  ["restore", (s) => s.restore("GONE"), `${FILLED}, GONE1=gone`],
  ["purge", (s) => s.delete("A", { purge: true }), "B1=b1"],
  ["get", async (s) => expect((await s.get("A")).fields).toEqual({ value: "a2" }), FILLED],
  [
    "get of a version",
    async (s) => expect((await s.get("A", { atVersion: 1 })).fields).toEqual({ value: "a1" }),
    FILLED,
  ],
  ["describe", (s) => s.describe("A"), FILLED],
];

const inOrder = (text: string) => text.split(", ").toSorted().join(", ");

const LONG = process.env["LONG_TESTS"] === "true";

/** Some orders. As `npm run faults` does it, all of them in SQLite; in the file store each call writes the whole file. */
const DRIVERS = [
  ["sqlite", LONG ? 1 : 16],
  ["file", LONG ? 5 : 20],
] as const;

/** Without LONG_TESTS each operation is held with one driver, and holds a rotation with the other one. */
const operationsFor = (backend: string, isHeld: boolean) =>
  OPERATIONS.filter((_, index) => LONG || ((index % 2 === 0) === isHeld) === (backend === "sqlite"));

describe.each(DRIVERS)("orders of calls with %s", (backend, step) => {
  let place: string;
  let template: string;

  // Once for all tests: each of their orders begins with a copy.
  beforeAll(async () => {
    place = join(root(), backend);
    template = `${place}-template`;
    options = { env: { HOME: join(place, "home") }, storagePath: join(place, "secrets"), backend };
    await use(async ({ secrets }) => {
      for (const value of ["a1", "a2"]) await secrets.set(key("A", value));
      await secrets.set(key("B", "b1"));
      await secrets.set(key("GONE", "gone"));
      await secrets.delete("GONE");
    });
    cpSync(place, template, { recursive: true });
  });

  function reset(): void {
    rmSync(place, { recursive: true });
    cpSync(template, place, { recursive: true });
  }

  const rotate = async () => await rotateKeys(options, { dataKey: true });

  it.each(operationsFor(backend, true))(
    `K2, K14, K34: %s, held at each of its calls ${ROTATED}`,
    async (_, operation, expected) => {
      const orders = await inEveryOrder(options, {
        reset,
        step,
        work: async ({ secrets }) => await operation(secrets),
        other: rotate,
        check: async () => {
          expect(inOrder(await state())).toBe(inOrder(expected));
          expect(await faults()).toEqual([]);
        },
      });
      expect(orders).toBeGreaterThanOrEqual(step === 1 ? 1 : 0);
    },
  );

  it.each(operationsFor(backend, false))(
    `K2, K34: a rotation, held at each of its calls while %s is done`,
    async (_, operation, expected) => {
      const orders = await inEveryOrder(options, {
        reset,
        step,
        work: async (manager) => await rotateOpened(options, { manager, isResumed: false }, { dataKey: true }),
        other: async () => await use(async ({ secrets }) => await operation(secrets)),
        check: async () => {
          expect(inOrder(await state())).toBe(inOrder(expected));
          expect(await faults()).toEqual([]);
          const { dataKeys } = await use(async ({ keys }) => (await keys.keyring()).header);
          expect(dataKeys.filter((dataKey) => dataKey.state === "decrypt-only")).toEqual([]);
        },
      });
      expect(orders).toBeGreaterThan(5);
    },
  );

  /** A rotation can be overtaken by another one, and finds the key file taken while that one puts its key in place. */
  async function endsWell(rotation: Promise<unknown>): Promise<void> {
    await rotation.catch((error: { code?: unknown }) => {
      expect(["HEADER_CHANGED", "KEY_UNAVAILABLE"]).toContain(error.code);
    });
  }

  it("a rotation, held at each of its calls while another one runs", async () => {
    await inEveryOrder(options, {
      reset,
      step,
      work: async (manager) => await endsWell(rotateOpened(options, { manager, isResumed: false }, { dataKey: true })),
      other: async () => await endsWell(rotate()),
      check: async () => {
        expect(inOrder(await state())).toBe(FILLED);
        expect(await faults()).toEqual([]);
      },
    });
  }, 120_000);

  // In the file store it takes seconds: each call reads the whole batch.
  it.each(backend === "sqlite" || LONG ? [4200] : [])(
    "K2: a batch above the reservation (%d), held at each of its calls while the keys are rotated",
    async (length) => {
      const batch = Array.from({ length }, (_, index) => key(`N${index}`, `value ${index}`));
      const orders = await inEveryOrder(options, {
        reset,
        // Each order writes the whole batch: otherwise it is held at its first call alone.
        step: LONG ? step : 1000,
        work: async ({ secrets }) => await secrets.setAll(batch),
        other: rotate,
        // The names are looked up one by one.
        isHeld: (method) => method !== "get",
        check: async () => {
          await use(async ({ secrets }) => {
            for (const index of [0, 1, 4094, 4095, 4096, 4097, 4199]) {
              expect((await secrets.get(`N${index}`)).fields).toEqual({ value: `value ${index}` });
            }
          });
          expect(await faults()).toEqual([]);
        },
      });
      expect(orders).toBeGreaterThanOrEqual(step === 1 ? 1 : 0);
    },
    300_000,
  );
});
