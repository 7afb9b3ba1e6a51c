import { failClosed } from "../fail-closed.ts";
import { parseUrl, percentDecoded } from "./parse-url.ts";
import type { PartKind, Piece } from "./part.ts";

/** A longer text is not read as a list on one line. */
const MAX_LIST = 16_384;

const [FIRST, INNER, LAST] = [
  String.raw`[\p{L}\p{N}_$@/.[\]-]`,
  String.raw`[\p{L}\p{N} \t_$@/:.[\]-]{0,126}`,
  String.raw`[\p{L}\p{N}_\])]`,
];
const IS_KEY = new RegExp(`^${FIRST}(?:${INNER}${LAST})?$`, "u");

/** Names consist of words. Irregular capitals and digits, as in `aB3dE`, mean a random text that contains a `=`. */
const WORDS = /^(?:[A-Z]?[a-z]+|[A-Z]+|\d+)(?:[A-Z][a-z]{2,}|[A-Z]{2,}|(?<=\d)[a-z]{2,}|\d+)*(?:[A-Z][a-z]?)?$/;

function isName(key: string): boolean {
  return IS_KEY.test(key) && (key.match(/[A-Za-z\d]+/g) ?? []).every((words) => WORDS.test(words));
}

/** `NAME=value`, `name: value`, `"name" => "value"`; neither `https://` nor `12:30`. */
const ASSIGNMENT = new RegExp(
  String.raw`^\s*(?:(?:export|set|setx|env|const|let|var|-)\s+|\$env:)?(["'\x60]?)(${FIRST}(?:${INNER}?${LAST})?)\1\s*(?::=|=>|=|:(?=\s))\s*(\S.*)$`,
  "isu",
);

/** Quotes are escaped by a backslash, or by doubling them: then a backslash is a character like any other. */
const QUOTED = [
  String.raw`"(?:[^"\\]|\\.|""){0,4096}"|"(?:[^"]|""){0,4096}"`,
  String.raw`'(?:[^'\\]|\\.|''){0,4096}'|'(?:[^']|''){0,4096}'`,
  String.raw`\{(?:[^}]|\}\}){0,4096}\}`,
].join("|");

const WHOLLY_QUOTED = /^(["'`{])(.*)(?:(?<=^["'`].*)\1|(?<=^\{.*)\})$/s;

/** Quotes hide a separator only if they enclose a whole value. */
function segmentsBy(separator: string): RegExp {
  return new RegExp(
    String.raw`(?:[^=${separator}]*=\s*(?:${QUOTED})\s*(?=[${separator}]|$)|[^${separator}]+)(?:[${separator}]|$)`,
    "gs",
  );
}

/** `;` separates in ADO, ODBC, Azure and cookies, `&` in a query, `,` in StackExchange.Redis, white space in libpq. */
const SEPARATORS = [";", "&", ",", String.raw`\s`].map((separator) => ({
  separator,
  segments: segmentsBy(separator),
}));

const FLOW_ITEMS = new RegExp(`(?:${QUOTED}|[^,"'{])+`, "gs");

/** The values of a list `k=v;k=v`, or of a single setting: `k=v`, `k: v`. */
export function settingPieces(text: string): readonly Piece[] | null {
  if (text.length > MAX_LIST || /[\r\n]./s.test(text)) return null;
  const [, , name = "", assigned = ""] = ASSIGNMENT.exec(text) ?? [];
  if (isDocument(assigned)) return setting(name, assigned);
  const lists = text.includes("=") ? SEPARATORS.map((by) => ({ ...by, pairs: pairsOf(text, by.segments) })) : [];
  const longest = lists.reduce<(typeof lists)[number] | null>(
    (best, list) => (list.pairs.length > (best?.pairs.length ?? 1) ? list : best),
    null,
  );
  if (longest !== null) {
    return longest.pairs.flatMap(([key, value]) =>
      longest.separator === "&" ? formPiece(key, value, "setting") : setting(key, value),
    );
  }
  return assigned === "" || !isName(name.trim()) ? null : setting(name, assigned);
}

/** Inside JSON, XML and URLs, the separators of settings separate nothing. */
function isDocument(text: string): boolean {
  if (/^(?:<.*>|[a-z][a-z0-9+.-]*:\/\/[^\s;]+)$/i.test(text)) return true;
  return /^["[{]/.test(text) && failClosed(false, () => JSON.parse(text) !== null);
}

/** The values of a query or of a form body. */
function formPieces(text: string): readonly Piece[] {
  return text.split(/[&;]/).map((pair) => {
    const at = pair.indexOf("=");
    return formPiece(pair.slice(0, Math.max(at, 0)), pair.slice(at + 1), "query value");
  });
}

/** The items between braces that are not JSON: YAML, JavaScript, HCL. */
export function flowPieces(text: string): readonly Piece[] | null {
  const inner = /^\s*\{(.*)\}\s*$/s.exec(text.length > MAX_LIST ? "" : text)?.[1];
  return inner?.match(FLOW_ITEMS)?.map((item) => ({ kind: "setting", text: item, place: "public" })) ?? null;
}

function formPiece(key: string, value: string, kind: PartKind): Piece {
  const text = percentDecoded(value.replaceAll("+", " "));
  return { kind, key: percentDecoded(key), text, spelled: [value, percentDecoded(value)] };
}

function pairsOf(text: string, segments: RegExp): readonly (readonly [key: string, value: string])[] {
  return (text.match(segments) ?? []).flatMap((segment) => {
    const pair = segment.replace(/[;&,\s]$/, "");
    const at = pair.indexOf("=");
    const key = pair.slice(0, Math.max(at, 0)).trim();
    return isName(key) ? [[key, pair.slice(at + 1)] as const] : [];
  });
}

/** The value of a setting, without quotes and comment. Braces are the quotes of ODBC or belong to the value. */
function setting(key: string, raw: string): readonly Piece[] {
  const value = raw.trim();
  const plain = value.replace(/\s*[,;]$/, "");
  const bare = plain.replace(/\s+[#;].*$/s, "");
  const inner = [plain, bare].map((each) => WHOLLY_QUOTED.exec(each)?.[2]).find((each) => each !== undefined);
  const quoted: Piece[] =
    inner === undefined ? [] : [{ kind: "setting", key, text: unescaped(inner, plain.charAt(0)), spelled: [inner] }];
  if (inner !== undefined && !plain.startsWith("{")) return quoted;
  const decoded = percentDecoded(bare);
  return [
    ...quoted,
    { kind: "setting", key, text: bare, spelled: [value, plain] },
    ...(decoded === bare ? [] : [{ kind: "setting" as const, key, text: decoded }]),
  ];
}

/** Between quotes, characters are escaped by a backslash or by doubling the quote. */
function unescaped(text: string, quote: string): string {
  const end = quote === "{" ? "}" : quote;
  if (text.includes(end + end)) return text.replaceAll(end + end, end);
  return quote === "{" ? text : text.replaceAll(/\\([\\"'`$ ])/g, "$1");
}

/** Schemes of URLs whose path is the name of a database, a queue or a directory. */
const OF_NAMES = /sql|maria|postgres|mongo|redis|amqp|oracle|cockroach|clickhouse|cassandra|couch|ldap|db|snowflake/;

/** What stands instead of a password if the name of the user is a token. */
const NO_PASSWORD: ReadonlySet<string> = new Set(["", "x-oauth-basic"]);

/** The password or the token before the host, the segments of the path, the values of query and fragment. */
export function urlPieces(text: string): readonly Piece[] | null {
  const url = parseUrl(text);
  if (url === null) return null;
  const { scheme, userinfo, path, query, fragment } = url;
  return [
    ...(userinfo === null ? [] : userinfoPieces(userinfo)),
    ...(OF_NAMES.test(scheme) ? [] : pathPieces(path)),
    ...formPieces(query),
    ...(fragment.includes("=") ? formPieces(fragment) : []),
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
