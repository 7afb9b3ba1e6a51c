import type { CallLimits, Lease, LeaseSession, ProviderLeases, SecretAnswer } from "@autokestra/secrets-core";
import { z } from "@autokestra/secrets-core/internal";
import { denied, malformed, quoteLong } from "./answers.ts";
import type { HttpResponse } from "./exchange.ts";
import { encodePath, readJson } from "./http-call.ts";
import { readDone, secondsSchema, trimSlashes, type VaultClient, vaultFailure } from "./vault-client.ts";
import { LOOK_UP_SELF, readSelf, renewToken, revokeToken, type VaultLogin, type VaultToken } from "./vault-login.ts";

/** Creates credentials with Vault, such as those of its database engine. */
export function createVaultLeases(client: VaultClient, login: VaultLogin): ProviderLeases {
  return {
    async canCreate(path, limits) {
      const json = { paths: [trimSlashes(path)] };
      const response = await login.use(limits, async (token) => {
        return await client.send({ call: "capabilities", path: "sys/capabilities-self", token, json }, limits);
      });
      return "headers" in response ? readCapabilities(response, path) : response;
    },

    async open(limits) {
      const token = await login.logIn(limits);
      if (!("token" in token)) return token;
      return { status: "found", secret: new VaultSession(client, await withEnd(client, token, limits)) };
    },
  };
}

const capabilitiesSchema = z.object({ data: z.object({ capabilities: z.array(z.string()) }) });

function readCapabilities(response: HttpResponse, path: string): SecretAnswer<null> {
  if (response.status !== 200) return vaultFailure(response, "update on sys/capabilities-self");
  const json = readJson(response, capabilitiesSchema);
  if (!("value" in json)) return json;
  const { capabilities } = json.value.data;
  if (capabilities.includes("read") || capabilities.includes("root")) return { status: "found", secret: null };
  return denied(
    `the token may not read ${quoteLong(path)}`,
    "Add that path to its policies, with the capability read.",
  );
}

/** Looks up once when an existing token expires. Uses the token even if that fails. */
async function withEnd(client: VaultClient, token: VaultToken, limits: CallLimits): Promise<VaultToken> {
  if (token.accessor !== null) return token;
  const response = await client.send({ ...LOOK_UP_SELF, token: token.token }, limits);
  const self = "headers" in response ? readSelf(response) : response;
  if (self.status !== "found") return token;
  const { expiresAt, isRenewable } = self.secret;
  return { ...token, isRenewable, endsAt: expiresAt === undefined ? undefined : Date.parse(expiresAt) };
}

const leaseSchema = z.object({ lease_id: z.string(), lease_duration: secondsSchema, renewable: z.boolean() });
const credentialsSchema = leaseSchema.extend({ data: z.record(z.string(), z.unknown()) });

/** Credentials end with the token that has created them, so the token of a session is never replaced. */
class VaultSession implements LeaseSession {
  readonly login: Lease | null;
  readonly #client: VaultClient;
  #token: VaultToken;

  constructor(client: VaultClient, token: VaultToken) {
    this.login = token.accessor === null ? null : { id: token.accessor, expiresAt: toTimestamp(token.endsAt) };
    this.#client = client;
    this.#token = token;
  }

  async create(path: string, seconds: number, limits: CallLimits): ReturnType<LeaseSession["create"]> {
    await this.#keepToken(seconds, limits);
    const sentAt = Date.now();
    const place = encodePath(trimSlashes(path));
    const request = { call: "lease", path: place, token: this.#token.token, repeatable: false };
    const response = await this.#client.send(request, limits);
    if (!("headers" in response)) return response;
    if (response.status === 400) return malformed(`${response.asked}: 400`, "Check that there is such a role.");
    if (response.status !== 200) return vaultFailure(response, `read on ${quoteLong(path)}`);
    const json = readJson(response, credentialsSchema);
    if (!("value" in json)) return json;
    const { lease_id: id, lease_duration: given, renewable, data: value } = json.value;
    if (id === "") {
      const hint = "A secret that is only read is bound by its path, not as a lease.";
      return malformed(`${response.asked}: nothing was created that could be revoked`, hint);
    }
    // Shortens the lease, so that it soon expires if the process is killed and cannot revoke it.
    const shorter = renewable && given > seconds ? await this.#renewLease(id, seconds, limits) : null;
    const lease = shorter?.status === "found" ? shorter.secret : this.#leaseOf(id, sentAt, given);
    return { status: "found", secret: { value, lease } };
  }

  async renew({ id }: Lease, seconds: number, limits: CallLimits): Promise<SecretAnswer<Lease>> {
    await this.#keepToken(seconds, limits);
    if (id !== this.login?.id) return await this.#renewLease(id, seconds, limits);
    const renewed = await renewToken(this.#client, this.#token, seconds, limits);
    if (!("token" in renewed)) return renewed;
    this.#token = renewed;
    return { status: "found", secret: { id, expiresAt: toTimestamp(renewed.endsAt) } };
  }

  async revoke({ id }: Lease, limits: CallLimits): Promise<SecretAnswer<null>> {
    const { token } = this.#token;
    if (id === this.login?.id) return await revokeToken(this.#client, token, true, limits);
    // Without `sync`, Vault would revoke it later, and not report a failure.
    const json = { lease_id: id, sync: true };
    const request = { call: "revoke", path: "sys/leases/revoke", method: "PUT", token, json } as const;
    const response = await this.#client.send(request, limits);
    return "headers" in response ? readDone(response, "update on sys/leases/revoke") : response;
  }

  /** Renews an existing token that would expire too early, which never shortens its time. */
  async #keepToken(seconds: number, limits: CallLimits): Promise<void> {
    const { endsAt, isRenewable } = this.#token;
    const isShort = endsAt !== undefined && endsAt < Date.now() + seconds * 1000;
    if (this.login !== null || !isShort || !isRenewable) return;
    const renewed = await renewToken(this.#client, this.#token, seconds, limits);
    if ("token" in renewed) this.#token = renewed;
  }

  async #renewLease(id: string, seconds: number, limits: CallLimits): Promise<SecretAnswer<Lease>> {
    const sentAt = Date.now();
    const { token } = this.#token;
    const json = { lease_id: id, increment: seconds };
    const request = { call: "renew", path: "sys/leases/renew", method: "PUT", token, json } as const;
    const response = await this.#client.send(request, limits);
    if (!("headers" in response)) return response;
    if (response.status !== 200) return vaultFailure(response, "update on sys/leases/renew");
    const answer = readJson(response, leaseSchema);
    if (!("value" in answer)) return answer;
    return { status: "found", secret: this.#leaseOf(id, sentAt, answer.value.lease_duration) };
  }

  #leaseOf(id: string, sentAt: number, seconds: number): Lease {
    const end = sentAt + seconds * 1000;
    // Our own login is renewed separately, so only an existing token limits the lease.
    return { id, expiresAt: toTimestamp(this.login === null ? Math.min(end, this.#token.endsAt ?? end) : end) };
  }
}

/** Returns the last possible time for a login that does not expire. */
function toTimestamp(endsAt: number | undefined): string {
  return endsAt === undefined ? "9999-12-31T23:59:59.999Z" : new Date(endsAt).toISOString();
}
