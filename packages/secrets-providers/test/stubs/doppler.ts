import { createHash } from "node:crypto";
import type { SeenRequest, SoundAnswer } from "../../src/testing/index.ts";

const error = (status: number, message: string): SoundAnswer => ({
  status,
  body: { success: false, messages: [message] },
});

/**
 * Doppler's API with one project `app`, its config `prd`, a service token that belongs to it, and a personal token that does not.
 *
 * @param secrets read again for each request
 */
export function dopplerServer(
  { service, personal }: { readonly service: string; readonly personal: string },
  secrets: Readonly<Record<string, unknown>>,
): (request: SeenRequest) => SoundAnswer {
  return ({ path, headers }) => {
    const { pathname, searchParams } = new URL(path, "http://stub");
    const token = String(headers.authorization).replace(/^Bearer /, "");
    if (token !== service && token !== personal) return error(401, `Invalid Auth token ${token}`);
    if (pathname === "/v3/me") {
      const type = token === service ? "service_token" : "personal";
      return { body: { workplace: { name: "w", slug: "w1" }, type, token_preview: "dp.st.…", name: "ci", slug: "s" } };
    }
    if (pathname !== "/v3/configs/config/secrets/download") return error(404, "Not found");
    const [project, config] = ["project", "config"].map((name) => searchParams.get(name));
    const isNamed = project !== null || config !== null;
    if (!isNamed && token === personal) return error(400, "Must specify project and config");
    if (isNamed && project !== "app") return error(404, `Could not find requested project '${project}'`);
    if (isNamed && config !== "prd") {
      return token === service
        ? error(403, "This token does not have access to requested config")
        : error(404, `Could not find requested config '${config}'`);
    }
    const names = searchParams.get("secrets")?.split(",") ?? Object.keys(secrets);
    const body = JSON.stringify(Object.fromEntries(Object.entries(secrets).filter(([name]) => names.includes(name))));
    const etag = `W/"${createHash("sha256").update(body).digest("hex").slice(0, 32)}"`;
    const sent = { etag, "content-type": "application/json; charset=utf-8" };
    return headers["if-none-match"] === etag ? { status: 304, headers: { etag }, body: "" } : { body, headers: sent };
  };
}
