import { dirname, resolve, sep } from "node:path";
import { realPath } from "@autokestra/private-files";
import { AutokestraError } from "@autokestra/secrets-core";
import { isUrl } from "@autokestra/secrets-core/internal";

/** Where a store is. */
export type Location =
  | {
      readonly kind: "folder";
      /** Absolute. */
      readonly path: string;
    }
  | {
      readonly kind: "url";
      /** May contain a password: show it with {@link locationText}. */
      readonly url: URL;
    };

/**
 * Parses the location of a store: a path or a URL.
 *
 * @throws AutokestraError `OPTION_INVALID` for an invalid URL, which the message does not quote
 */
export function parseLocation(text: string): Location {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text)) return { kind: "folder", path: resolve(text) };
  if (isUrl(text)) return { kind: "url", url: new URL(text) };
  throw new AutokestraError("OPTION_INVALID", "The location of the secrets is not a valid URL", {
    hint: "Give the path of a folder.",
  });
}

/** Returns a location as messages name it: a URL without user, password and query. */
export function locationText(location: Location): string {
  if (location.kind === "folder") return location.path;
  const { protocol, host, pathname } = location.url;
  return `${protocol}//${host}${pathname}`;
}

/**
 * Refuses a key file inside the folder of the secrets: a copy of the folder would contain the key.
 *
 * @throws AutokestraError `KEY_UNREADABLE`
 */
export function keepApart(keyFile: string | null, location: Location): void {
  if (keyFile === null || location.kind !== "folder") return;
  const folder = location.path;
  const secrets = realPath(folder);
  const key = resolve(realPath(dirname(keyFile)), "key");
  if (!key.startsWith(secrets + sep)) return;
  throw new AutokestraError("KEY_UNREADABLE", `The key file ${keyFile} lies inside the secrets folder ${folder}`, {
    hint: "A copy of that folder would have both. Move the key elsewhere, and name its new path.",
  });
}

/** Returns a location as the list of known stores has it: a folder with its links resolved, a URL as messages name it. */
export function knownLocation(location: Location): string {
  return location.kind === "folder" ? realPath(location.path) : locationText(location);
}
