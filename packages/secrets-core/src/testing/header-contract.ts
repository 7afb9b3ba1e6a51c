import { A, type ContractTools, DELETED, ID_A, putVersions, refusal } from "./contract-tools.ts";
import { sampleSecret } from "./sample-secret.ts";

/** Tests how a store keeps its header, and that it refuses secrets of another header. */
export function headerContract({ test, expect }: ContractTools): void {
  test("put refuses what was encrypted under another header", async (store) => {
    const changed = { code: "HEADER_CHANGED" };
    const write = { secret: sampleSecret("A"), expected: null };
    await expect(store.put([write], "one")).rejects.toMatchObject(changed);
    await store.writeHeader("one", null);
    await expect(store.put([write], null)).rejects.toMatchObject(changed);
    await expect(store.put([write], "two")).rejects.toMatchObject(changed);
    expect(await store.list()).toEqual([]);
    await store.put([write], "one");
    expect(await store.get(A)).toEqual(write.secret);
  });

  test("the header is replaced only by who knows the last one", async (store) => {
    expect(await store.writeHeader("two", "one")).toBe(false);
    expect(await store.writeHeader("one", null)).toBe(true);
    expect(await store.writeHeader("two", null)).toBe(false);
    expect(await store.readHeader()).toBe("one");
    expect(await store.writeHeader("two", "one")).toBe(true);
    expect(await store.readHeader()).toBe("two");
  });

  test("a header that gives up a data key is refused while any version names that key", async (store) => {
    await putVersions(store, 2);
    await store.writeHeader("one", null);
    const reencrypted = (version: number) => {
      const { metadata, envelope, mac } = sampleSecret("A", { version });
      return { secret: { metadata, envelope: { ...envelope, keyId: "12345678" }, mac }, nonce: envelope.nonce };
    };
    const give = async (...keyIds: readonly string[]) => await refusal(store.writeHeader("two", "one", keyIds));
    expect(await give("0badcafe")).toBe("DATA_KEY_IN_USE");
    await store.reencrypt([reencrypted(2)], "one");
    expect(await give("12345678")).toBe("DATA_KEY_IN_USE");
    expect(await give("87654321", "0badcafe")).toBe("DATA_KEY_IN_USE");
    await store.delete(ID_A, DELETED);
    expect(await give("0badcafe")).toBe("DATA_KEY_IN_USE");
    expect(await store.readHeader()).toBe("one");
    expect(await store.writeHeader("two", null, ["0badcafe"])).toBe(false);
    await store.reencrypt([reencrypted(1)], "one");
    expect(await store.writeHeader("two", "one", ["0badcafe", "87654321"])).toBe(true);
    expect(await store.readHeader()).toBe("two");
  });
}

/** Tests anchors, which must never go back. */
export function anchorContract({ test, expect }: ContractTools): void {
  const anchor = (counter: number, name = "audit") => ({
    name,
    counter,
    text: `text ${counter}`,
    mac: `mac ${counter}`,
  });

  test("an anchor is replaced only by who knows its counter", async (store) => {
    expect(await store.writeAnchor(anchor(1), 0)).toBe(false);
    expect(await store.readAnchor("audit")).toBe(null);
    expect(await store.writeAnchor(anchor(0), null)).toBe(true);
    expect(await store.writeAnchor(anchor(1), null)).toBe(false);
    expect(await store.writeAnchor(anchor(5), 0)).toBe(true);
    expect(await store.writeAnchor(anchor(6), 4)).toBe(false);
    expect(await store.readAnchor("audit")).toEqual(anchor(5));
    expect(await store.readAnchor("tokens")).toBe(null);
    expect(await store.writeAnchor(anchor(3, "tokens"), null)).toBe(true);
    expect(await store.readAnchor("audit")).toEqual(anchor(5));
    expect(await store.readAnchor("tokens")).toEqual(anchor(3, "tokens"));
  });

  test("anchors are listed", async (store) => {
    expect(await store.anchors()).toEqual([]);
    await store.writeAnchor(anchor(7), null);
    expect(await store.anchors()).toEqual([anchor(7)]);
    await store.writeAnchor(anchor(1, "accounts"), null);
    expect(await store.anchors()).toEqual([anchor(1, "accounts"), anchor(7)]);
  });

  test("an anchor never goes back", async (store) => {
    await store.writeAnchor(anchor(5), null);
    for (const counter of [5, 4, 5.5, Number.NaN]) {
      expect(await refusal(store.writeAnchor(anchor(counter), 5))).toBe("VALUE_INVALID");
    }
    expect(await store.readAnchor("audit")).toEqual(anchor(5));
  });
}
