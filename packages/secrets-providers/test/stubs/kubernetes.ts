import type { SeenRequest, SoundAnswer } from "../../src/testing/index.ts";

export interface KubernetesStub {
  /** Read again for each request. */
  readonly token: string;
  /** By `namespace/name`: what a Secret has beside its name. */
  readonly secrets: Readonly<
    Record<string, { readonly metadata?: object; readonly data?: Readonly<Record<string, string>> }>
  >;
  /** Names that the account may not get. */
  readonly forbidden?: readonly string[] | undefined;
  /** Whether it is too old to say who somebody is. Default: false */
  readonly isOld?: boolean | undefined;
}

/** The API server of a cluster, with one service account. */
export function kubernetesServer(stub: KubernetesStub): (request: SeenRequest) => SoundAnswer {
  return ({ method, path, headers, body }) => {
    const { token, secrets, forbidden = [], isOld = false } = stub;
    if (headers.authorization !== `Bearer ${token}`) return status(401, "Unauthorized", "Unauthorized");
    if (path === "/apis/authentication.k8s.io/v1/selfsubjectreviews" && method === "POST" && !isOld) {
      const userInfo = { username: "system:serviceaccount:apps:autokestra", groups: ["system:authenticated"] };
      return { status: 201, body: { ...JSON.parse(body), metadata: {}, status: { userInfo } } };
    }
    const [, namespace, name] = /^\/api\/v1\/namespaces\/([^/]+)\/secrets\/([^/]+)$/.exec(path) ?? [];
    if (namespace === undefined || name === undefined) {
      return status(404, "NotFound", "the server could not find the requested resource");
    }
    if (forbidden.includes(name)) return status(403, "Forbidden", `secrets "${name}" is forbidden`);
    const secret = secrets[`${namespace}/${name}`];
    if (secret === undefined) return status(404, "NotFound", `secrets "${name}" not found`);
    const { metadata, data } = secret;
    return {
      body: {
        kind: "Secret",
        apiVersion: "v1",
        metadata: { name, namespace, uid: "u", resourceVersion: "42", ...metadata },
        ...(data !== undefined && { data }),
        type: "Opaque",
      },
    };
  };
}

function status(code: number, reason: string, message: string): SoundAnswer {
  return {
    status: code,
    body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code },
  };
}
