import { OnePasswordConnect } from "@1password/connect";
import { afterAll, describe, expect, it } from "vitest";
import { openProvider } from "../src/index.ts";
import {
  createOnePasswordConnectProvider,
  type OnePasswordConnectProviderOptions,
  onePasswordConnectProvider,
} from "../src/onepassword-connect.ts";
import { type SeenRequest, type SoundAnswer, startTestServer } from "../src/testing/index.ts";
import { describeContract, describeFaults } from "./provider-contracts.ts";
import { soon } from "./soon.ts";
import { connectServer, type StubItem } from "./stubs/onepassword-connect.ts";

const TOKEN = "canary-token-1c5f";
const idOf = (text: string) => text.padEnd(26, "0");
const VAULT = idOf("vault");
const field = (label: string, value: string | undefined, section?: string, id = `id-${label}`) => ({
  id,
  type: "STRING",
  label,
  ...(value !== undefined && { value }),
  ...(section !== undefined && { section: { id: section } }),
});
const item = (title: string, more: Partial<StubItem> = {}): StubItem => ({
  id: idOf(title.toLowerCase()),
  title,
  ...more,
});

const ITEMS: readonly StubItem[] = [
  item("db", {
    version: 7,
    fields: [field("username", "u"), field("password", "canary-value"), field("notesPlain", undefined), field("x", "")],
  }),
  item("DB", { id: idOf("upper"), fields: [field("password", "canary-upper")] }),
  item("sections", {
    sections: [{ id: "s1", label: "live" }, { id: "s2" }],
    fields: [
      field("key", "a", "s1"),
      field("key", "b", "s2"),
      field("key", "c", "s3"),
      field("key", "d"),
      field("alone", "e", "s1"),
      field("", "f", undefined, "bare"),
    ],
  }),
  item("again", { fields: [field("key", "canary-a", "s1"), field("key", "canary-b", "s1")] }),
  item("twice", { id: idOf("twice1"), fields: [field("key", "canary-1")] }),
  item("twice", { id: idOf("twice2"), fields: [field("key", "canary-2")] }),
  item("archived", { state: "ARCHIVED", fields: [field("key", "canary-old")] }),
  item("renewed", { id: idOf("renewed1"), state: "ARCHIVED", fields: [field("key", "old")] }),
  item("renewed", { id: idOf("renewed2"), fields: [field("key", "new")] }),
  item("document"),
  item('say "hi" \\ü/', { id: idOf("quoted"), fields: [field("key", "q")] }),
];
const VAULTS = [
  { id: VAULT, name: "Deployment", items: ITEMS },
  { id: idOf("other1"), name: "Shared", items: [] },
  { id: idOf("other2"), name: "Shared", items: [] },
];
const answer = connectServer(TOKEN, VAULTS, [idOf("hidden")]);
const VALUE = { username: "u", password: "canary-value" };

const open = (address: string, options: Partial<OnePasswordConnectProviderOptions> = {}) =>
  createOnePasswordConnectProvider({ address, token: TOKEN, vault: "Deployment", env: {}, ...options });

for (const vault of ["Deployment", VAULT]) {
  describeContract(`the contract, with the vault ${vault}`, {
    answer,
    open: (address) => open(address, { vault }),
    stored: { path: "db", value: VALUE },
    missing: "none",
  });
}

describeFaults("faults", {
  open: (address, onCall) => open(address, { onCall }),
  answer,
  path: "db",
  canaries: [TOKEN, "canary-value"],
});

describe("createOnePasswordConnectProvider", async () => {
  const server = await startTestServer(answer);
  afterAll(async () => await server.close());

  async function look(path: string, options: Partial<OnePasswordConnectProviderOptions> = {}) {
    const provider = open(server.address, options);
    const given = await provider.lookup({ path, format: "json" }, soon());
    await provider.close();
    return given;
  }

  it.each<[string, string, unknown]>([
    ["by its title, with its version", "db", { value: VALUE, version: "7" }],
    ["by its title, in upper case", "DB", { value: { password: "canary-upper" }, version: "1" }],
    ["by its id", idOf("db"), { value: VALUE, version: "7" }],
    [
      "with labels that are used more than once",
      "sections",
      { value: { "live.key": "a", "s2.key": "b", "s3.key": "c", key: "d", alone: "e", bare: "f" }, version: "1" },
    ],
    ["that is not archived, before one that is", "renewed", { value: { key: "new" }, version: "1" }],
    ["with a title full of signs", 'say "hi" \\ü/', { value: { key: "q" }, version: "1" }],
  ])("gives an item %s", async (_what, path, secret) => {
    expect(await look(path)).toEqual({ status: "found", secret });
  });

  it.each<[string, string, string, string]>([
    ["that never existed", "none", "notFound", "There is no item none in the vault."],
    ["with an id that never existed", idOf("none"), "notFound", "404"],
    ["that is archived", "archived", "notFound", "The item archived is archived."],
    ["whose title two have", "twice", "malformed", "2 items have the title twice"],
    ["with two fields of one label in one section", "again", "malformed", "the item again has two fields s1.key"],
    ["without a field that has a value", "document", "malformed", "the item document has no field with a value"],
    ["whose title is a filter", 'none" or title eq "db', "notFound", "There is no item"],
  ])("answers for an item %s", async (_what, path, status, reason) => {
    const given = await look(path);
    expect(given).toMatchObject({ status, reason: expect.stringContaining(reason) });
    expect(JSON.stringify(given)).not.toContain("canary");
  });

  it.each<[string, string, string, string]>([
    ["of no such title", "None", "malformed", "there is no vault None that the token may see"],
    ["of another case", "deployment", "malformed", "there is no vault deployment that the token may see"],
    ["whose title two have", "Shared", "malformed", "2 vaults have the title Shared"],
    ["of no such id", idOf("none"), "malformed", "404, there is no such vault"],
    ["that the token may not see", idOf("hidden"), "denied", "403"],
  ])("answers for a vault %s, and says it in a check", async (_what, vault, status, reason) => {
    const expected = { status, reason: expect.stringContaining(reason) };
    expect(await look("db", { vault })).toMatchObject(expected);
    const provider = open(server.address, { vault });
    expect(await provider.check(soon())).toMatchObject(expected);
    await provider.close();
  });

  it("is denied with a wrong token", async () => {
    expect(await look("db", { token: "wrong" })).toMatchObject({
      status: "denied",
      hint: expect.stringContaining("token"),
    });
  });

  it("takes the token from a variable, as it is configured", async () => {
    const configuration = {
      type: "onepassword-connect",
      address: server.address,
      vault: VAULT,
      tokenEnv: "T",
      path: "{name}",
    };
    const { provider } = openProvider(onePasswordConnectProvider, configuration, { id: "op", env: { T: TOKEN } });
    expect(await provider.check(soon())).toEqual({ status: "found", secret: {} });
    await provider.close();
    expect(() =>
      openProvider(onePasswordConnectProvider, { ...configuration, vualt: 1 }, { id: "op", env: {} }),
    ).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  it.each<[string, SoundAnswer]>([
    ["no version, no sections and no fields", { body: {} }],
    ["a field that is a number", { body: { fields: [{ id: "a", value: 1 }] } }],
  ])("is malformed with %s", async (_what, wrong) => {
    const odd = await startTestServer((request: SeenRequest) =>
      request.path.includes("/items/") ? wrong : answer(request),
    );
    const provider = open(odd.address);
    expect(await provider.lookup({ path: "db", format: "json" }, soon())).toMatchObject({ status: "malformed" });
    await provider.close();
    await odd.close();
  });

  it("waits no longer where it is asked to come back later", async () => {
    const busy = await startTestServer(() => ({ status: 429, headers: { "retry-after": "3600" }, body: {} }));
    const provider = open(busy.address);
    expect(await provider.lookup({ path: "db", format: "json" }, soon())).toMatchObject({ status: "unavailable" });
    expect(busy.requests).toHaveLength(1);
    await provider.close();
    await busy.close();
  });
});

describe("the vendor's client against the stub", async () => {
  const server = await startTestServer(answer);
  afterAll(async () => await server.close());
  const client = (token = TOKEN) => OnePasswordConnect({ serverURL: server.address, token });
  const fieldsOf = ({ fields = [] }: { fields?: { label?: string; value?: string }[] | undefined }) =>
    fields.map(({ label, value }) => [label, value]);

  it("finds the vault by its title", async () => {
    expect(await client().getVaultByTitle("Deployment")).toMatchObject({ id: VAULT, name: "Deployment" });
  });
  it("finds the vault by its id", async () => {
    expect(await client().getVaultById(VAULT)).toMatchObject({ id: VAULT, name: "Deployment" });
  });
  it("finds an item by its title, with its fields and its version", async () => {
    const found = await client().getItemByTitle(VAULT, "sections");
    expect(found).toMatchObject({ version: 1, sections: [{ id: "s1", label: "live" }, { id: "s2" }] });
    expect(fieldsOf(found).slice(0, 2)).toEqual([
      ["key", "a"],
      ["key", "b"],
    ]);
  });
  it("finds an item by its id", async () => {
    const found = await client().getItemById(VAULT, idOf("db"));
    expect(fieldsOf(found)).toContainEqual(["password", "canary-value"]);
  });
  it("lists items of one title", async () => {
    expect(await client().listItemsByTitle(VAULT, "twice")).toHaveLength(2);
  });
  it.each<[string, number, () => Promise<unknown>]>([
    ["an item whose title two have", 400, async () => await client().getItemByTitle(VAULT, "twice")],
    ["an item that is not there", 404, async () => await client().getItemByTitle(VAULT, "none")],
    ["an id that is not there", 404, async () => await client().getItemById(VAULT, idOf("none"))],
    ["a vault that is not there", 404, async () => await client().getVaultById(idOf("none"))],
    ["a vault that it may not see", 403, async () => await client().getVaultById(idOf("hidden"))],
    ["a wrong token", 401, async () => await client("wrong").listVaults()],
  ])("refuses %s", async (_what, status, call) => {
    await expect(call()).rejects.toMatchObject({ status });
  });
});
