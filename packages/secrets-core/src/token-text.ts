/** How the tokens of well-known services begin. Nobody gives such a name to anything else, however little follows. */
const PREFIXES = [
  ...["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"],
  ...["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "glrt-"],
  ...["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-"],
  ...["sk-ant-", "sk-proj-", "hvs.", "hvb.", "dop_v1_", "shpat_", "shpss_", "pypi-AgE", "AGE-SECRET-KEY-"],
];

/** Beginnings that other words have too: they count only with so much behind them. */
const PATTERNS = [
  "(?:AKIA|ASIA)[0-9A-Z]{12,}",
  "AIza[\\w-]{30,}",
  "ya29\\.[\\w-]{16,}",
  "SG\\.[\\w-]{16,}",
  "npm_[A-Za-z0-9]{20,}",
  "hf_[A-Za-z0-9]{20,}",
  "sk-[A-Za-z0-9]{20,}",
  "eyJ[\\w-]{8,}\\.eyJ[\\w-]*",
  "-----BEGIN [A-Z ]*PRIVATE KEY",
];

const TOKEN = new RegExp(
  `(?<![A-Za-z0-9])(?:${[...PREFIXES.map((prefix) => `${prefix.replaceAll(".", "\\.")}\\w`), ...PATTERNS].join("|")})`,
);

/** True where a text holds what begins like a token of a well-known service, such as `ghp_…` or `AKIA…`. */
export function holdsToken(text: string): boolean {
  return TOKEN.test(text);
}
