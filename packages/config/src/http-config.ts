import { z } from "zod";

const HOST = /^(?:\[[\da-f:.]+\]|(?:\*\.)?[^\s:/?#@\\*[\]]+)(?::\d{1,5})?$/i;

const settingsSchema = z.strictObject({
  privateNetworks: z
    .enum(["allow", "deny"])
    .describe("Whether tasks may send requests to this machine and to private networks. Default: allow")
    .exactOptional(),
  allowHosts: z
    .array(z.string().regex(HOST, "must be a host, such as api.example.com, *.example.com or 10.0.0.7:8080"))
    .describe("Hosts that requests may go to nevertheless: a name, *.name or an address, each with or without a port")
    .exactOptional(),
});

export const httpSchema: z.ZodType<HttpConfig> = settingsSchema;

export const HTTP_KEYS: readonly string[] = Object.keys(settingsSchema.shape);

/** Where the requests of tasks may go. A key that is not set is undefined. */
export interface HttpConfig {
  readonly privateNetworks?: "allow" | "deny";
  readonly allowHosts?: readonly string[];
}
