import { parseUrl } from "./parse-url.ts";
import { hasCharacters, isMaskable, MIN_LENGTH_ANYWHERE, type Piece } from "./part.ts";

const PASSWORD_WORDS = ["password", "passwd", "pwd", "pass", "passphrase", "secret", "signature", "sig"];
const CREDENTIAL_WORDS = ["token", "key", "auth", "credential", "cookie", "session"];

/** Names of one word with such an ending: `PGPASSWORD`, `apikey`, `authtoken`, but not `monkey` or `bypass`. */
const JOINED =
  /(?:password|passwd|passphrase|secret|token|credential|signature|cookie|(?:api|app|access|account|auth|client|encryption|host|license|master|private|primary|secondary|secret|shared|signing|storage|subscription)key|(?:db|smtp|ftp|mail|user|root|admin|redis|require)(?:pwd|pass))s?$/;

/** People read logs for these: hosts, ports, schemes, databases, regions, types, scopes, users, accounts, dates. */
const PUBLIC_WORDS: ReadonlySet<string> = new Set(
  `host hostname hosts server servers address addr endpoint url uri port proto protocol scheme suffix origin site
  database db dbname dbs catalog schema keyspace collection index bucket queue topic vhost region zone location datacenter
  type kind class scope scopes audience aud azp user username uname uid login account email mail name alias nickname
  issuer iss realm domain org organization project tenant workspace team group role version ver algorithm alg method
  charset encoding mechanism cipher ciphers
  locale lang language timezone tz env environment stage mode level date time day year expires expiry
  expiration exp iat nbf created updated modified timestamp timeout ttl lifetime driver provider plugin machine service
  cluster namespace context image tag format status state description comment title label machine sslmode headers
  path file filename dir directory agent options opts flags args cron schedule interval before after sub subject platform
  os arch runtime`.split(/\s+/),
);

/** The id of one of these names an account and is public. */
const ACCOUNTS =
  /^(?:account|app|application|client|customer|directory|group|org|organization|project|subscription|team|tenant|user|workspace)$/;

/** Words of configuration that follow `auth`, `token` or `key` without being credentials. */
const SETTINGS: ReadonlySet<string> = new Set(
  "basic bearer default digest disabled enabled kerberos ldap local login none oauth oauth2 oidc optional password plain remote required saml token".split(
    " ",
  ),
);

/** Is this part secret on its own? The README has the lengths in a table. */
export function isSecret({ text, key, place }: Piece): boolean {
  const trimmed = text.trim();
  if (place === "public" || !isMaskable(trimmed)) return false;
  if (place === "secret" || keySaysPassword(key)) return true;
  if (keySaysCredential(key)) return !SETTINGS.has(trimmed.toLowerCase());
  return hasCharacters(trimmed, MIN_LENGTH_ANYWHERE) && !keySaysPublic(key) && looksSecret(trimmed);
}

/** Is the whole text a password, in which a colon or a space separates nothing? */
export function isPassword({ kind, key, place }: Piece): boolean {
  return (place === "secret" && kind === "password") || keySaysPassword(key);
}

/** Does its place or the name beside it say that the text is a credential? */
export function isCredential({ kind, key, place }: Piece): boolean {
  return place === "secret" || kind === "decoded text" || isUser(key) || keySaysCredential(key);
}

/** Does it have a name such as `image`, beside which nobody writes a credential? Beside `user`, curl does. */
export function hasPublicKey({ key }: Piece): boolean {
  return keySaysPublic(key) && !isUser(key);
}

function isUser(key: string | undefined): boolean {
  return /^(?:user|userinfo)$/.test(wordsOf(key).at(-1) ?? "");
}

function keySaysPassword(key: string | undefined): boolean {
  return endsLike(key, PASSWORD_WORDS);
}

function keySaysCredential(key: string | undefined): boolean {
  return endsLike(key, CREDENTIAL_WORDS) || JOINED.test(wordsOf(key).at(-1) ?? "");
}

function endsLike(key: string | undefined, wanted: readonly string[]): boolean {
  const last = wordsOf(key).at(-1) ?? "";
  return wanted.some((word) => last === word || last === `${word}s`);
}

function keySaysPublic(key: string | undefined): boolean {
  const words = wordsOf(key);
  const [before = "", last = ""] = words.slice(-2);
  if (words.length === 1) return isPublicWord(before);
  if (last === "id" && ACCOUNTS.test(before)) return true;
  return isPublicWord(last) || (isPublicWord(before) && /^(?:in|at|on|by)$/.test(last));
}

function isPublicWord(word: string): boolean {
  return PUBLIC_WORDS.has(word) || PUBLIC_WORDS.has(word.replace(/s$/, ""));
}

/** The words of a name in lower case, such as `DB_PASSWORD`, `AccountKey`, `X-Amz-Date` or `User ID`. */
function wordsOf(key = ""): readonly string[] {
  const name = key
    .slice(-128)
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll(/([A-Z])([A-Z][a-z])/g, "$1 $2");
  return name.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

/** Does it contain a digit or both cases, without being a date, a host or something else that is written like that? */
function looksSecret(text: string): boolean {
  const isVaried = /\p{Nd}/u.test(text) || (/\p{Lu}/u.test(text) && /\p{Ll}/u.test(text));
  return isVaried && !PUBLIC_LOOKS.some((look) => look.test(text)) && !isUrl(text);
}

/** Only the parts of a URL are secret. */
function isUrl(text: string): boolean {
  return !/\s/.test(text) && parseUrl(text) !== null;
}

const PUBLIC_LOOKS: readonly RegExp[] = [
  // Words: Production, ReadWrite, Microsoft SQL Server.
  /^[A-Z]?[a-z]{2,}(?:[ ._/-]?(?:[A-Z][a-z]{2,}|(?<=[ ._/-])(?:[a-z]{2,}|[A-Z]{2,})))*$/,
  // A host with its port: names, IPv4, IPv6.
  /^(?:[a-z]+:)?(?=.{1,260}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)+[a-z]{2,24}\.?(?:[:,]\d{1,5})?$/,
  /^(?:localhost|[a-z][a-z-]{0,62}):\d{1,5}$/,
  /^\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\d{1,5})?$/,
  /^\[?(?=[^:]*:[^:]*:)(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}\]?(?:[:/]\d{1,5})?$/i,
  // A mail address.
  /^[\w.+-]{1,64}@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,24}$/i,
  // A region or a zone: us-east-1, europe-west3-a.
  /^[a-z]{2,9}(?:-[a-z]{2,12}){1,3}-?\d{1,2}(?:-?[a-z])?$/,
  // A date, a time, both (ISO 8601, RFC 9110).
  /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:?\d{2}(?::?\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/,
  /^\d{8}T\d{6}Z$/,
  /^\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?$/,
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  // A version, a media type.
  /^[v~^]?\d{1,5}\.\d{1,5}\.\d{1,8}(?:-(?:alpha|beta|rc|dev|pre)[.-]?\d{0,4})?$/,
  /^(?:application|audio|font|image|multipart|text|video)\/[\w.+-]{1,64}(?:; ?charset=[\w-]{1,20})?$/,
];
