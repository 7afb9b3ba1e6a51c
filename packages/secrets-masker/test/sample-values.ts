/** A token: the same in most forms. */
export const TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";

/** A value that every form changes. */
export const NASTY = `p@ss "w'ö/rd" <&> \\ %+=?~ 🔑 $&\t$1!`;

/** A value of several lines, with the line ends of the system that made it. */
export const MULTI_LINE: string = [
  "-----BEGIN PRIVATE KEY-----",
  "MC4CAQAwBQYDK2VwBCIEIGo4QIYTnwY8+hLkYFZ2nJ0N3u8o7r2T1cXq5mWvB9dE",
  "zR7/pK2sLq0aVxYt4bNcHgUeIwOfJmPyDr",
  "Aj3k=",
  "-----END PRIVATE KEY-----",
  "",
].join("\n");

/** A value with hardly a letter of ASCII. */
export const NON_ASCII = "Zürich–Straße, пароль 日本語の鍵";

/** A value of characters that no terminal prints. */
const CONTROL = "bell\u0007 esc\u001b[0m del\u007f nel\u0085 nbsp\u00a0 zwsp\u200b\u0001.";

/** A value that a program parses: its texts come back one by one. */
export const JSON_VALUE: string = JSON.stringify({
  type: "service_account",
  private_key: MULTI_LINE,
  client: { id: "104982763510092837461", "e-mail": `robot "R2'ö" <r2@example.com>` },
  pins: [90210777, "0815"],
});

/** All of them, by name. */
export const SAMPLES: Readonly<
  Record<"TOKEN" | "NASTY" | "MULTI_LINE" | "NON_ASCII" | "CONTROL" | "JSON_VALUE", string>
> = {
  TOKEN,
  NASTY,
  MULTI_LINE,
  NON_ASCII,
  CONTROL,
  JSON_VALUE,
};
