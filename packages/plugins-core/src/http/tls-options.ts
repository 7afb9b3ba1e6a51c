import { createSecureContext } from "node:tls";
import { z } from "@autokestra/plugin-sdk";

/** Whom a request trusts, and by which certificate its client is known. All are texts in PEM. */
export interface TlsOptions {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly passphrase?: string | undefined;
  readonly ca?: string | undefined;
}

const CERTIFICATE = "-----BEGIN CERTIFICATE-----";

/** A client certificate with its key, and the certificates to trust instead of those of the system. */
export const tlsSchema: z.ZodType<TlsOptions> = z
  .strictObject({
    cert: z.string().optional(),
    key: z.string().meta({ secret: true }).optional(),
    passphrase: z.string().meta({ secret: true }).optional(),
    ca: z.string().includes(CERTIFICATE).optional(),
  })
  .superRefine((options, context) => {
    const problem = findProblem(options);
    if (problem !== null) context.addIssue({ code: "custom", params: { expected: problem } });
  });

function findProblem(options: TlsOptions): string | null {
  if ((options.cert === undefined) !== (options.key === undefined)) return "cert and key, or neither";
  try {
    createSecureContext(options);
    return null;
  } catch {
    // The error is dropped, because nobody promises that it quotes nothing of the key.
    return "certificates and a key in PEM that belong together, with the passphrase if the key has one";
  }
}
