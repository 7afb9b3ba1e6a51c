import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call, createServerPlace, type ServerPlace } from "./server-place.ts";

let place: ServerPlace;
let admin: string;

beforeAll(async () => {
  place = await createServerPlace();
  admin = await place.token("admin");
});
afterAll(async () => await place.close());

const send = async (method: string, path: string, payload?: object, headers: Record<string, string> = {}) =>
  await call(place.app, method, `/api/secrets${path}`, admin, { ...(payload && { payload }), headers });

let names = 0;
const newName = () => `SECRET_${names++}`;
const namesIn = (answer: { json(): { name: string }[] }) => answer.json().map(({ name }) => name);

async function create(more: object = {}): Promise<{ id: string; name: string }> {
  const answer = await send("POST", "/", { name: newName(), value: "the-value", ...more });
  expect(answer.statusCode).toBe(201);
  return await answer.json();
}

describe("POST /", () => {
  it("stores a secret, and says where it is", async () => {
    const name = newName();
    const answer = await send("POST", "", { name, value: "v", description: "d", tags: ["a"], expiresAt: "2030-01-01" });
    expect(answer.statusCode).toBe(201);
    const metadata = answer.json();
    expect(metadata).toEqual({
      id: expect.any(String),
      name,
      type: "apiKey",
      description: "d",
      tags: ["a"],
      version: 1,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
      expiresAt: "2030-01-01T00:00:00.000Z",
    });
    expect(answer.headers["location"]).toBe(`/api/secrets/${metadata.id}`);
    expect(answer.headers["etag"]).toBe('"1"');
    expect(answer.headers["cache-control"]).toBe("no-store");
    expect(answer.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each<[object, string]>([
    [{ value: "v" }, "REQUEST_INVALID"],
    [{ name: "A" }, "REQUEST_INVALID"],
    [{ name: "A", value: "v", fields: {} }, "REQUEST_INVALID"],
    [{ name: "A", value: "v", id: "x" }, "REQUEST_INVALID"],
    [{ name: "A", value: 7 }, "REQUEST_INVALID"],
    [{ name: "a b", value: "v" }, "NAME_INVALID"],
    [{ name: "A", value: "" }, "VALUE_EMPTY"],
    [{ name: "A", value: "v", type: "basicAuth" }, "VALUE_INVALID"],
    [{ name: "A", value: "v", type: "none" }, "VALUE_INVALID"],
    [{ name: "A", fields: { a: "v" }, type: "apiKey" }, "VALUE_INVALID"],
    [{ name: "A", value: "v", expiresAt: "never" }, "VALUE_INVALID"],
    [{ name: "A", value: "v", tags: [""] }, "VALUE_INVALID"],
    [{ name: "A", value: "v", publicFields: ["x"] }, "FIELD_NOT_FOUND"],
  ])("refuses %j", async (payload, code) => {
    const answer = await send("POST", "/", payload);
    expect([answer.statusCode, answer.json().code]).toEqual([400, code]);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
  });

  it("refuses a name that is taken, and makes a new secret where the old one is deleted", async () => {
    const { id, name } = await create();
    const taken = await send("POST", "/", { name, value: "v" });
    expect([taken.statusCode, taken.json().code]).toEqual([400, "SECRET_EXISTS"]);
    await send("DELETE", `/${id}`);
    const again = await send("POST", "/", { name, value: "v" });
    expect(again.statusCode).toBe(201);
    expect(again.json().id).not.toBe(id);
  });

  it("takes an empty password where that is meant, and types as people write them", async () => {
    const body = { fields: { username: "key", password: "" }, type: "Basic_Auth" };
    expect((await send("POST", "/", { name: newName(), ...body })).statusCode).toBe(400);
    expect((await create({ value: undefined, allowEmpty: true, ...body })).name).toMatch(/^SECRET/);
  });
});

describe("GET", () => {
  it("shows a secret by its id, its name, and not its value", async () => {
    const { id, name } = await create();
    for (const path of [`/${id}`, `/${id}/`, `/name/${name}`, `/name/${name}/`]) {
      const answer = await send("GET", path);
      expect([answer.statusCode, answer.json().id, answer.headers["etag"]]).toEqual([200, id, '"1"']);
      expect(answer.body).not.toContain("the-value");
      const head = await send("HEAD", path);
      expect([head.statusCode, head.body, head.headers["etag"]]).toEqual([200, "", '"1"']);
    }
    expect((await send("GET", `/${id}`, undefined, { "if-none-match": '"1"' })).statusCode).toBe(304);
    expect((await send("GET", `/${id}`, undefined, { "if-none-match": '"2"' })).statusCode).toBe(200);
  });

  it("finds nothing else", async () => {
    const paths = ["/none", "/00000000-0000-4000-8000-000000000000", "/7", "/1e3", "/name/NONE", "/name/a%20b", "/-1"];
    for (const path of paths) expect([path, (await send("GET", path)).statusCode]).toEqual([path, 404]);
  });

  it("takes the number that an imported secret had", async () => {
    await place.manager.secrets.setAll([{ name: "IMPORTED", type: "apiKey", fields: { value: "v" }, importedId: 7 }]);
    expect((await send("GET", "/7")).json().name).toBe("IMPORTED");
    expect((await send("GET", "/7/decrypt")).json().value).toBe("v");
    expect((await send("GET", "/07")).statusCode).toBe(404);
    await place.manager.secrets.setAll([{ name: "IMPORTED2", type: "apiKey", fields: { value: "v" }, importedId: 7 }]);
    expect((await send("GET", "/7")).statusCode).toBe(404);
  });
});

describe("GET /{id}/decrypt", () => {
  it("gives the value and the fields, and is recorded first", async () => {
    const { id, name } = await create();
    const answer = await send("GET", `/${id}/decrypt`);
    expect(answer.json()).toMatchObject({ id, name, value: "the-value", fields: { value: "the-value" } });
    expect(answer.headers["cache-control"]).toBe("no-store");
    const records = [];
    const found = place.manager.audit?.records({ secret: name, action: "read" }) ?? [];
    for await (const record of found) records.push(record);
    const requestId = answer.headers["x-request-id"];
    expect(records).toMatchObject([{ actor: { kind: "token" }, outcome: "done", requestId }]);
  });

  it("gives one field, or an older version", async () => {
    const fields = { a: "1", b: "2" };
    const { id } = await create({ value: undefined, fields });
    expect((await send("GET", `/${id}/decrypt`)).json()).toMatchObject({ value: null, fields });
    expect((await send("GET", `/${id}/decrypt?field=b`)).json()).toMatchObject({ value: null, fields: { b: "2" } });
    const missing = await send("GET", `/${id}/decrypt?field=c`);
    expect([missing.statusCode, missing.json().code]).toEqual([404, "NOT_FOUND"]);
    await send("PUT", `/${id}`, { fields: { a: "3" } });
    expect((await send("GET", `/${id}/decrypt`)).json()).toMatchObject({ value: "3", version: 2 });
    expect((await send("GET", `/${id}/decrypt?version=1&field=a`)).json().fields).toEqual({ a: "1" });
    expect((await send("GET", `/${id}/decrypt?version=3`)).json().code).toBe("VERSION_NOT_FOUND");
    for (const version of ["0", "-1", "x", "1.5"]) {
      expect((await send("GET", `/${id}/decrypt?version=${version}`)).statusCode).toBe(400);
    }
  });

  it("has no HEAD", async () => {
    const { id } = await create();
    const answer = await send("HEAD", `/${id}/decrypt`);
    expect([answer.statusCode, answer.headers["allow"]]).toEqual([405, "GET"]);
  });
});

describe("PUT /{id}", () => {
  it("changes what is given, and leaves the rest", async () => {
    const { id, name } = await create({ description: "d", tags: ["a"], expiresAt: "2030-01-01" });
    const same = await send("PUT", `/${id}`, {});
    expect([same.headers["etag"], same.json().description]).toEqual(['"1"', "d"]);
    const expiresAt = "2030-01-01T00:00:00.000Z";
    const valued = await send("PUT", `/${id}`, { value: "v2" });
    expect(valued.json()).toMatchObject({ version: 2, description: "d", tags: ["a"], expiresAt });
    const change = { description: null, tags: ["c", "b"], expiresAt: null };
    expect((await send("PUT", `/${id}`, change)).json()).toMatchObject({ version: 2, ...change });
    const all = { name: newName(), value: "v3", tags: ["z"], description: "e" };
    const { value: _, ...shown } = all;
    const renamed = await send("PUT", `/${id}`, all);
    expect(renamed.json()).toMatchObject({ id, version: 3, ...shown });
    // One change, of everything at once.
    expect([valued.headers["etag"], renamed.headers["etag"]]).toEqual(['"2"', '"4"']);
    expect((await send("GET", `/${id}/decrypt`)).json().value).toBe("v3");
    expect((await send("GET", `/${id}/decrypt?version=1`)).json().value).toBe("the-value");
    expect((await send("GET", `/name/${name}`)).statusCode).toBe(404);
  });

  it("changes the name with anything else", async () => {
    const { id } = await create({
      value: undefined,
      fields: { a: "1", b: "2" },
      description: "d",
      tags: ["a"],
      expiresAt: "2030-01-01",
    });
    const change = { name: newName(), tags: ["c"], description: null, expiresAt: null, publicFields: ["a"] };
    const { publicFields: _, ...shown } = change;
    const edited = await send("PUT", `/${id}`, change);
    expect(edited.json()).toMatchObject({ version: 1, ...shown });
    expect(edited.headers["etag"]).toBe('"2"');
    expect((await place.manager.secrets.get(change.name)).flags.public).toEqual(["a"]);
    const fields = await send("PUT", `/${id}`, { name: newName(), fields: { a: "3" } });
    expect([fields.json().version, fields.headers["etag"]]).toEqual([2, '"3"']);
    expect((await send("GET", `/${id}/decrypt?version=1`)).json().fields).toEqual({ a: "1", b: "2" });
    for (const [more, code] of [
      [{ fields: {} }, "VALUE_INVALID"],
      [{ tags: ["\n"] }, "VALUE_INVALID"],
      [{ value: "v", fields: { a: "x" } }, "REQUEST_INVALID"],
      [{ publicFields: ["none"] }, "FIELD_NOT_FOUND"],
    ] as const) {
      const answer = await send("PUT", `/${id}`, { name: newName(), ...more });
      expect([answer.json().code, (await send("GET", `/${id}`)).headers["etag"]]).toEqual([code, '"3"']);
    }
  });

  it("refuses what does not fit, and changes nothing then", async () => {
    const { id } = await create();
    const taken = (await create()).name;
    const basic = await create({ value: undefined, type: "basicAuth", fields: { username: "u", password: "p" } });
    for (const [which, body, code] of [
      [id, { name: taken, value: "v2" }, "SECRET_EXISTS"],
      [id, { name: "a b", value: "v2" }, "NAME_INVALID"],
      [id, { fields: { other: "x" } }, "VALUE_INVALID"],
      [basic.id, { value: "v" }, "VALUE_INVALID"],
      [id, { type: "custom" }, "REQUEST_INVALID"],
      [id, { version: 7 }, "REQUEST_INVALID"],
      [id, { value: "v", fields: { value: "v" } }, "REQUEST_INVALID"],
    ] as const) {
      const answer = await send("PUT", `/${which}`, body);
      expect([answer.statusCode, answer.json().code]).toEqual([400, code]);
      expect((await send("GET", `/${which}`)).headers["etag"]).toBe('"1"');
    }
  });

  it("makes fields public, and secret again", async () => {
    const { id, name } = await create({ value: undefined, fields: { a: "1", b: "2" }, publicFields: ["a"] });
    await send("PUT", `/${id}`, { publicFields: ["b"] });
    expect((await place.manager.secrets.get(name)).flags.public).toEqual(["b"]);
  });

  it("changes only the revision that is named", async () => {
    const { id } = await create();
    const put = async (ifMatch: string) => await send("PUT", `/${id}`, { description: "x" }, { "if-match": ifMatch });
    for (const wrong of ['"2"', '"0", "3"', 'W/"1"', "1"]) {
      const answer = await put(wrong);
      expect([answer.statusCode, answer.json().code]).toEqual([412, "PRECONDITION_FAILED"]);
    }
    expect((await put('"7", "1"')).headers["etag"]).toBe('"2"');
    expect((await put("*")).headers["etag"]).toBe('"3"');
    expect((await send("DELETE", `/${id}`, undefined, { "if-match": '"1"' })).statusCode).toBe(412);
  });

  it("loses no change of many at once", async () => {
    const { id } = await create();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => await send("PUT", `/${id}`, { value: `v${index}` })),
    );
    const written = answers.filter(({ statusCode }) => statusCode === 200).length;
    expect(answers.every(({ statusCode }) => statusCode === 200 || statusCode === 409)).toBe(true);
    expect((await send("GET", `/${id}`)).json().version).toBe(written + 1);
  });
});

describe("DELETE, restore, rollback, versions", () => {
  it("delete, and bring back", async () => {
    const { id, name } = await create();
    const deleted = await send("DELETE", `/${id}`);
    expect(deleted.json()).toEqual({ message: `Secret '${name}' is deleted; it can be restored for 30 days` });
    for (const path of [`/${id}`, `/${id}/decrypt`, `/${id}/versions`]) {
      expect((await send("GET", path)).statusCode).toBe(404);
    }
    expect((await send("DELETE", `/${id}`)).statusCode).toBe(404);
    expect((await send("GET", `/?state=deleted&prefix=${name}`)).json()[0].deletedAt).toEqual(expect.any(String));
    expect((await send("POST", `/${id}/restore`)).json()).toMatchObject({ id, name });
    expect((await send("POST", `/${id}/restore`)).statusCode).toBe(404);
    expect((await send("DELETE", `/${id}?purge=true`)).json().message).toBe(`Secret '${name}' is removed for good`);
    expect((await send("POST", `/${id}/restore`, {})).statusCode).toBe(404);
    expect((await send("DELETE", `/${id}?purge=yes`)).statusCode).toBe(400);
  });

  it("roll back to an older version", async () => {
    const { id } = await create();
    await send("PUT", `/${id}`, { value: "v2" });
    expect((await send("POST", `/${id}/rollback`, { to: 1 })).json()).toMatchObject({ version: 3 });
    expect((await send("GET", `/${id}/decrypt`)).json().value).toBe("the-value");
    const versions: { version: number }[] = (await send("GET", `/${id}/versions`)).json();
    expect(versions.map(({ version }) => version)).toEqual([3, 2, 1]);
    expect((await send("POST", `/${id}/rollback`, { to: 9 })).statusCode).toBe(404);
    expect((await send("POST", `/${id}/rollback`, {})).statusCode).toBe(400);
  });
});

describe("GET /{id}/fields", () => {
  it("names the fields, and how they are treated, without a value", async () => {
    const fields = { user: "a-user", password: "a-password" };
    const { id } = await create({ value: undefined, type: "custom", fields, publicFields: ["user"] });
    const { body } = await send("GET", `/${id}/fields`);
    expect(JSON.parse(body)).toEqual([
      { name: "user", public: true, masked: false },
      { name: "password", public: false, masked: true },
    ]);
    await send("DELETE", `/${id}`);
    expect((await send("GET", `/${id}/fields`)).statusCode).toBe(404);
  });
});

describe("GET /", () => {
  it("lists pages that stay right while others write", async () => {
    for (const name of ["L_A", "L_C", "L_E", "L_G"]) await create({ name });
    const first = await send("GET", "?prefix=L_&limit=2");
    expect(namesIn(first)).toEqual(["L_A", "L_C"]);
    expect(String(first.headers["x-total-count"])).toBe("4");
    const next = /^<(.*)>; rel="next"$/.exec(String(first.headers["link"]))?.[1] ?? "";
    await create({ name: "L_B" });
    expect(namesIn(await call(place.app, "GET", next, admin))).toEqual(["L_E", "L_G"]);
    expect(namesIn(await send("GET", "?prefix=L_&skip=3"))).toEqual(["L_E", "L_G"]);
    expect((await send("GET", "?prefix=L_")).headers["link"]).toBe(undefined);
  });

  it("filters", async () => {
    await create({ name: "F_1", tags: ["x", "y"], expiresAt: "2030-01-01" });
    await create({ name: "F_2", tags: ["x"], type: "bearerToken" });
    const list = async (query: string) => namesIn(await send("GET", `?prefix=F_&${query}`));
    expect(await list("tag=x")).toEqual(["F_1", "F_2"]);
    expect(await list("tag=x&tag=y")).toEqual(["F_1"]);
    expect(await list("type=bearer_token")).toEqual(["F_2"]);
    expect(await list("expiresBefore=2031-01-01")).toEqual(["F_1"]);
    expect(await list("state=all")).toEqual(["F_1", "F_2"]);
  });

  const ID = "00000000-0000-4000-8000-000000000000";
  it.each([
    "limit=0",
    "limit=-1",
    "limit=1e9",
    "limit=NaN",
    "limit=1001",
    "limit=1&limit=2",
    "limit=",
    "skip=-1",
    "skip=1.5",
    "skip=",
    "skip=0x1",
    "skip=1e2",
    "limit=%201",
    "type=x",
    "state=x",
    "expiresBefore=x",
    "cursor=",
    "cursor=%00",
    "sort=name;DROP",
    "q=1",
    "cursor=A",
    `cursor=A%27%20OR%201=1.${ID}`,
    "cursor=A.x",
    `cursor=.${ID}`,
  ])("refuses %s", async (query) => {
    const answer = await send("GET", `?${query}`);
    expect([answer.statusCode, answer.json().status]).toEqual([400, 400]);
  });
});

describe("allow", () => {
  const ALLOW = { workflows: ["deploy"], hosts: ["API.example.com"] };
  const STORED = { workflows: ["deploy"], taskTypes: [], hosts: ["api.example.com"] };

  it("is stored with a new secret, shown, and kept by changes of other things", async () => {
    const { id } = await create({ allow: ALLOW });
    expect((await send("GET", `/${id}`)).json().allow).toEqual(STORED);
    for (const change of [{ value: "next" }, { description: "d" }, { name: newName() }, { fields: { value: "f" } }]) {
      expect((await send("PUT", `/${id}`, change)).json().allow).toEqual(STORED);
    }
    expect((await send("GET", `/${id}/decrypt?version=1`)).json().value).toBe("the-value");
  });

  it("is changed list by list, with a value or without, and removed by null", async () => {
    const { id } = await create();
    const put = async (change: object, headers = {}) => {
      const answer = await send("PUT", `/${id}`, change, headers);
      return [answer.statusCode, answer.json().allow];
    };
    expect((await send("GET", `/${id}`)).json()).not.toHaveProperty("allow");
    expect(await put({ allow: ALLOW }, { "if-match": '"1"' })).toEqual([200, STORED]);
    expect(await put({ allow: { workflows: null } })).toEqual([400, undefined]);
    expect(await put({ allow: null }, { "if-match": '"1"' })).toEqual([412, undefined]);
    expect(await put({ allow: { taskTypes: ["core/http.*"] } })).toEqual([
      200,
      { ...STORED, taskTypes: ["core/http.*"] },
    ]);
    expect(await put({ value: "v2", allow: { taskTypes: [], workflows: [] } })).toEqual([
      200,
      { ...STORED, workflows: [] },
    ]);
    expect(await put({ fields: { value: "v3" }, allow: { workflows: ["w"] } })).toEqual([
      200,
      { ...STORED, workflows: ["w"] },
    ]);
    expect(await put({ allow: null })).toEqual([200, undefined]);
    expect((await send("GET", `/${id}/decrypt?version=1`)).json().value).toBe("the-value");
  });

  it.each<[object, string]>([
    [{ hosts: ["https://u:pa55w0rd@x"] }, "VALUE_INVALID"],
    [{ taskTypes: ["*"] }, "VALUE_INVALID"],
    [{ workflows: ["a b"] }, "VALUE_INVALID"],
    [{ hosts: "x" }, "REQUEST_INVALID"],
    [{ hosts: [7] }, "REQUEST_INVALID"],
    [{ users: ["x"] }, "REQUEST_INVALID"],
    [{ hosts: Array.from({ length: 101 }, (_, index) => `h${index}`) }, "REQUEST_INVALID"],
  ])("refuses %j", async (allow, code) => {
    const answer = await send("POST", "/", { name: newName(), value: "v", allow });
    expect([answer.statusCode, answer.json().code]).toEqual([400, code]);
    expect(answer.body).not.toContain("pa55w0rd");
  });
});
