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
