import { unwatchFile, watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { AutokestraError } from "@autokestra/secrets-core";

/** The paths of a certificate and its private key, PEM. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly minVersion: "TLSv1.2";
}

/** @throws AutokestraError `OPTION_INVALID` where they cannot be used */
export async function readTls(files: TlsFiles | undefined): Promise<TlsPair | undefined> {
  if (files === undefined) return undefined;
  try {
    const pair = { cert: await readFile(files.cert), key: await readFile(files.key), minVersion: "TLSv1.2" } as const;
    createSecureContext(pair);
    return pair;
  } catch {
    throw new AutokestraError("OPTION_INVALID", "The certificate and its private key cannot be used", {
      hint: "Are both files PEM, readable, and of the same key?",
    });
  }
}

/** How often to look whether a certificate has changed, and how long to wait until both files have. */
const LOOK_MS = 1000;
const SETTLE_MS = 500;

/**
 * Looks at the files now and then. File system events would miss some replacements: a link that leads elsewhere, as those of certbot,
 * or a change by another machine.
 */
export function watchTlsFiles(files: TlsFiles | undefined, onChange: () => Promise<void>): { stop(): void } {
  const paths = Object.values(files ?? {});
  let timer: NodeJS.Timeout | undefined;
  const onStat = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void onChange(), SETTLE_MS).unref();
  };
  for (const path of paths) watchFile(path, { interval: LOOK_MS, persistent: false }, onStat);
  // What has changed between its reading and the first look.
  if (paths.length > 0) onStat();
  return {
    stop() {
      clearTimeout(timer);
      for (const path of paths) unwatchFile(path, onStat);
    },
  };
}
