import type { SeenRequest, SoundAnswer } from "../../src/testing/index.ts";

export interface StubItem {
  readonly id: string;
  readonly title: string;
  readonly version?: number;
  readonly state?: string;
  readonly sections?: readonly object[];
  readonly fields?: readonly object[];
}

export interface StubVault {
  readonly id: string;
  readonly name: string;
  readonly items: readonly StubItem[];
}

const ID = /^[a-z0-9]{26}$/;
const error = (status: number, message: string): SoundAnswer => ({ status, body: { status, message } });

/**
 * A Connect server, as its OpenAPI document 1.7.1 describes it. It compares titles without regard to case, as SCIM does by default.
 *
 * @param hidden vaults that are there, and that the token may not see
 */
export function connectServer(
  token: string,
  vaults: readonly StubVault[],
  hidden: readonly string[] = [],
): (request: SeenRequest) => SoundAnswer {
  return ({ path, headers }) => {
    const url = new URL(path, "http://stub");
    const [v1, collection, vaultId, items, itemId] = url.pathname.split("/").filter(Boolean).map(decodeURIComponent);
    if (headers.authorization !== `Bearer ${token}`) return error(401, "Invalid token signature");
    if (v1 !== "v1" || collection !== "vaults") return { status: 404, headers: {}, body: "404 page not found" };
    const filter = url.searchParams.get("filter");
    if (vaultId === undefined) return { body: matching(vaults, filter, ({ name }) => name).map(withoutItems) };
    if (!ID.test(vaultId)) return error(400, "Invalid Vault UUID");
    if (hidden.includes(vaultId)) return error(403, `vault ${vaultId} is not in scope`);
    const vault = vaults.find(({ id }) => id === vaultId);
    if (vault === undefined) return error(404, `vault ${vaultId} not found`);
    if (items === undefined) return { body: withoutItems(vault) };
    if (itemId === undefined) {
      return { body: matching(vault.items, filter, ({ title }) => title).map((item) => summary(item, vaultId)) };
    }
    if (!ID.test(itemId)) return error(400, "Invalid Item UUID");
    const item = vault.items.find(({ id }) => id === itemId);
    return item === undefined
      ? error(404, `item ${itemId} not found`)
      : { body: { ...item, ...summary(item, vaultId) } };
  };
}

function matching<Entry>(
  entries: readonly Entry[],
  filter: string | null,
  titleOf: (entry: Entry) => string,
): readonly Entry[] {
  if (filter === null) return entries;
  const title: string = JSON.parse(/^title eq (".*")$/.exec(filter)?.[1] ?? "null");
  return entries.filter((entry) => titleOf(entry).toLowerCase() === title.toLowerCase());
}

const withoutItems = ({ id, name, items }: StubVault) => ({ id, name, items: items.length, type: "USER_CREATED" });
const summary = ({ id, title, version = 1, state }: StubItem, vaultId: string) => ({
  id,
  title,
  version,
  vault: { id: vaultId },
  category: "LOGIN",
  ...(state !== undefined && { state }),
});
