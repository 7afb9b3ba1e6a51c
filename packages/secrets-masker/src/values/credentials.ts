import type { Piece, PieceReader } from "./part.ts";

/** Schemes of HTTP authentication (RFC 9110 section 11.1), registered or in use. */
const SCHEME =
  /^(?:authorization:\s*)?(?:aws|aws4-hmac-sha256|api-?key|basic|bearer|bot|digest|dpop|geniekey|hawk|jwt|key|mac|negotiate|ntlm|oauth|sharedaccesssignature|sharedkey|sharedkeylite|splunk|ssws|token|vapid)[ \t]+(\S.*)$/i;

/** `Bearer qwERty778899zz`: what follows the scheme is a token if it is one word, otherwise a list. */
export function schemePieces(text: string): readonly Piece[] | null {
  const credential = SCHEME.exec(text.trim())?.[1];
  if (credential === undefined) return null;
  return [{ kind: "token", text: credential, place: /\s/.test(credential) ? "public" : "secret" }];
}

/** Words before a colon that are not the name of a user: schemes, the prefixes of URNs and digests, single letters. */
const NO_USER = /^(?:arn|data|did|file|https?|jdbc|mailto|md5|sha\d{1,3}|sip|tel|urn|git@\S+|[a-z])$/i;

/** `alice:WindowPane42`; not `localhost:5432`, `12:30`. */
const PAIR = /^([^\s:/?#"'<>{}()[\]=,;|]{1,64}):(?!\d{1,5}(?:[/:]|$)|\/\/)(\S|\S.*\S)$/s;
const PGPASS = /^(?:\\.|[^:\\\s]){1,255}:(?:\d{1,5}|\*):(?:\\.|[^:\\]){1,255}:(?:\\.|[^:\\]){1,255}:(\S+)$/;
const PAIR_AT_HOST = /^[\w.+-]{1,64}:(\S+)@(?:\w{0,8}\(|\[|[\w.-])/;
const ORACLE = /^(?:jdbc:oracle:\w{1,8}:)?[\w$#]{1,64}\/("[^"]+"|[^\s@/"]+)@/i;

/** The password after the name of a user, also before a host: `app:pw@tcp(db:3306)/orders`, `scott/tiger@db`. */
export function pairPieces(text: string, place: Piece["place"]): readonly Piece[] {
  const value = text.trim();
  const inPgpass = PGPASS.exec(value)?.[1];
  if (inPgpass !== undefined) {
    return [{ kind: "password", text: inPgpass.replaceAll(/\\(.)/g, "$1"), spelled: [inPgpass], place: "secret" }];
  }
  const [, user = "", password] = PAIR.exec(value) ?? [];
  const isPair = password !== undefined && !NO_USER.test(user) && !/^\d+$/.test(user + password.slice(0, 2));
  const atHost = PAIR_AT_HOST.exec(value)?.[1];
  const inOracle = ORACLE.exec(value)?.[1]?.replaceAll('"', "");
  const found = [isPair ? password : undefined, isPair ? atHost : undefined];
  return [
    ...found.flatMap((each): Piece[] => (each === undefined ? [] : [placed(each, place)])),
    ...(inOracle === undefined ? [] : [placed(inOracle, /^jdbc:/i.test(value) ? "secret" : undefined)]),
  ];
}

function placed(text: string, place: Piece["place"]): Piece {
  return place === undefined ? { kind: "password", text } : { kind: "password", text, place };
}

/** The password of each machine of a .netrc. */
export const netrcPieces: PieceReader = (text) => {
  if (!/(?:^|\s)(?:machine\s+\S|default\s)/.test(text)) return null;
  const found = [...text.matchAll(/(?<=^|\s)(?:password|passwd)\s+("(?:[^"\\\n]|\\.)*"|\S+)/g)];
  return found.map(([, word = ""]) => {
    const password = word.replace(/^"(.*)"$/s, "$1");
    return { kind: "password", text: password.replaceAll(/\\(.)/g, "$1"), spelled: [password], place: "secret" };
  });
};

/** The values of options in a command line: `--password x`, `--token=x`, `-u user:x`. */
export const optionPieces: PieceReader = (text) => {
  const found = [...text.matchAll(/(?<=^|\s)--?([a-zA-Z][\w-]{0,63})[= ]("[^"]{0,4096}"|'[^']{0,4096}'|[^\s"']+)/g)];
  if (found.length === 0) return null;
  return found.map(([, key = "", word = ""]) => ({
    kind: "setting",
    key: /^(?:u|user)$/.test(key) && word.includes(":") ? "auth" : key,
    text: word.replace(/^(["'])(.*)\1$/s, "$2"),
  }));
};

/** The second of two words, such as in a line of a Postfix password file, may be a pair. */
export const secondWordPieces: PieceReader = (text) => {
  const word = /^\S+[ \t]+(\S+)$/.exec(text.trim())?.[1];
  return word === undefined ? null : [{ kind: "token", text: word, place: "public" }];
};
