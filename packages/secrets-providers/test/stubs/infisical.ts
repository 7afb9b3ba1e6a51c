import type { SeenRequest, SoundAnswer } from "../../src/testing/index.ts";

export interface InfisicalStub {
  readonly clientId: string;
  readonly clientSecret: string;
  /** What a login gives; also a token that somebody has made before. */
  readonly token: string;
  /** Seconds. 0: it does not end */
  readonly expiresIn?: number | undefined;
  readonly projectId: string;
  /** By `environment:folder/NAME`, the values of a secret from its first version on. */
  readonly secrets: Readonly<Record<string, readonly string[]>>;
  /** Which versions of the API the server has. Default: both */
  readonly versions?: readonly (3 | 4)[] | undefined;
  /** Names that may be seen, and whose values may not. */
  readonly hidden?: readonly string[] | undefined;
  /** Environments that the identity may not see. */
  readonly forbidden?: readonly string[] | undefined;
}

/** Infisical, as its router of secrets, its handler of errors and its own client have it. */
export function infisicalServer(stub: InfisicalStub): (request: SeenRequest) => SoundAnswer {
  const { versions = [3, 4], hidden = [], forbidden = [] } = stub;
  const revoked = new Set<string>();
  return ({ method, path, headers, body }) => {
    const { pathname, searchParams } = new URL(path, "http://stub");
    const query = (name: string) => searchParams.get(name) ?? "";
    if (pathname === "/api/status") return { body: { date: "2026-01-01T00:00:00.000Z", message: "Ok" } };
    if (pathname === "/api/v1/auth/universal-auth/login" && method === "POST") return logIn(stub, body);
    if (pathname === "/api/v1/auth/token/revoke" && method === "POST") {
      revoked.add(JSON.parse(body).accessToken);
      return { body: { message: "Successfully revoked access token" } };
    }
    const [, version, name] = /^\/api\/v([34])\/secrets(?:(?<=3\/secrets)\/raw)?\/([^/]+)$/.exec(pathname) ?? [];
    if (!versions.some((known) => String(known) === version) || name === undefined) return noRoute(method, path);
    const token = String(headers.authorization).replace(/^Bearer /, "");
    if (token !== stub.token || revoked.has(token)) return failure(401, "UnauthorizedError", "Token is revoked");
    const project = query(version === "3" ? "workspaceId" : "projectId");
    if (project === "") return failure(422, "ValidationFailure", [{ message: "Required" }]);
    if (project !== stub.projectId) return failure(404, "NotFound", `Project with ID '${project}' not found`);
    const environment = query("environment");
    if (forbidden.includes(environment)) {
      return failure(403, "PermissionDenied", "You are not allowed to read on secrets");
    }
    const key = `${environment}:${query("secretPath").replace(/^\/|\/$/g, "")}/${decodeURIComponent(name)}`;
    const values = stub.secrets[key] ?? [];
    const wanted = Number(query("version") || values.length);
    const value = values[wanted - 1];
    if (value === undefined)
      return failure(404, "NotFound", `Secret with name '${decodeURIComponent(name)}' not found`);
    const isHidden = hidden.includes(key) || query("viewSecretValue") !== "true";
    const secret = {
      id: "1",
      secretKey: name,
      version: wanted,
      type: "shared",
      environment,
      secretPath: query("secretPath"),
      secretValue: isHidden ? "<hidden-by-infisical>" : value,
      secretValueHidden: isHidden,
    };
    return { body: { secret } };
  };
}

function logIn({ clientId, clientSecret, token, expiresIn = 3600 }: InfisicalStub, body: string): SoundAnswer {
  const given: unknown = JSON.parse(body);
  return JSON.stringify(given) === JSON.stringify({ clientId, clientSecret })
    ? { body: { accessToken: token, expiresIn, accessTokenMaxTTL: 7200, tokenType: "Bearer" } }
    : failure(401, "UnauthorizedError", "Invalid credentials");
}

function failure(statusCode: number, error: string, message: unknown): SoundAnswer {
  return { status: statusCode, body: { reqId: "req-1", statusCode, message, error } };
}

function noRoute(method: string, path: string): SoundAnswer {
  return { status: 404, body: { message: `Route ${method}:${path} not found`, error: "Not Found", statusCode: 404 } };
}
