import { parseUrl, percentDecoded } from "./parse-url.ts";
import type { Piece } from "./part.ts";
import { formPieces } from "./settings.ts";

/** The path of such a URL is the name of a database, a queue, a directory. */
const OF_NAMES = /sql|maria|postgres|mongo|redis|amqp|oracle|cockroach|clickhouse|cassandra|couch|ldap|db|snowflake/;

/** Stands where a password would, beside a token in the place of the user's name. */
const NO_PASSWORD: ReadonlySet<string> = new Set(["", "x-oauth-basic"]);

/** The password or the token before the host, the segments of the path, the values of query and fragment. */
export function urlPieces(text: string): readonly Piece[] | null {
  const url = parseUrl(text);
  if (url === null) return null;
  const { scheme, userinfo, path, query, fragment } = url;
  return [
    ...(userinfo === null ? [] : userinfoPieces(userinfo)),
    ...(OF_NAMES.test(scheme) ? [] : pathPieces(path)),
    ...formPieces(query, "query value"),
    ...(fragment.includes("=") ? formPieces(fragment, "query value") : []),
  ];
}

function userinfoPieces(userinfo: string): readonly Piece[] {
  const colon = userinfo.indexOf(":");
  const [user, password] = colon < 0 ? [userinfo, ""] : [userinfo.slice(0, colon), userinfo.slice(colon + 1)];
  if (NO_PASSWORD.has(password)) return [{ kind: "token", text: percentDecoded(user), spelled: [user] }];
  return [{ kind: "password", text: percentDecoded(password), spelled: [password], place: "secret" }];
}

function pathPieces(path: string): readonly Piece[] {
  return path
    .split("/")
    .filter((segment) => segment !== "")
    .map((segment) => ({ kind: "path segment", text: percentDecoded(segment), spelled: [segment] }));
}
