import { MIN_LENGTH_ANYWHERE } from "./maskable.ts";

/** Replaces what one way of quoting has to escape. */
type Quote = (text: string) => string;

/** What shells, and languages that quote like them, make of a value: as it is typed, and as `set -x` and errors show it. */
const QUOTES: readonly Quote[] = [
  (text) => text.replaceAll("'", String.raw`'\''`), // between '': sh, bash, zsh
  (text) => text.replace(/'+/g, (quotes) => `'"${quotes}"'`), // between '': dash, ash
  (text) => text.replaceAll("'", `'"'"'`), // between '': Python's shlex
  (text) => text.replace(/["\\$`]/g, "\\$&"), // between "": sh, bash, zsh
  (text) => text.replaceAll('"', '\\"'), // between "": docker
  windowsArgument, // between "": Windows
  (text) => text.replace(/[\s"'\\|&;()<>{}*[\]?^!,$`]/g, "\\$&"), // nothing around it: printf %q
  (text) => text.replace(/[\\']/g, "\\$&"), // between '': fish, PHP's var_export, Perl
  (text) => text.replaceAll("'", "''"), // between '': SQL, PowerShell, YAML
  (text) => text.replace(/["$`]/g, "`$&"), // between "": PowerShell
  (text) => text.replaceAll('"', '""'), // between "": CSV, SQL names, cmd
  (text) => text.replaceAll("$", "$$$$"), // make, Maven, Docker Compose
  (text) => text.replaceAll("%", "%%"), // batch files, printf
  (text) => text.replace(/[&|<>()^"%!]/g, "^$&"), // cmd
];

/** Takes off what a shell takes for an escape. */
const UNQUOTES: readonly Quote[] = [
  (text) => text.replace(/\\(\\?)/g, "$1"), // sh
  (text) => text.replace(/\^(\^?)/g, "$1"), // cmd
];

/** The value as one word of a command, and as a command prints it that got it without any quotes. */
export function shellQuotes(value: string): readonly string[] {
  const unquoted = UNQUOTES.map((unquote) => unquote(value));
  // What remains of `\t\e\s\t` is a word like others.
  return [...QUOTES.map((quote) => quote(value)), ...unquoted.filter((text) => text.length >= MIN_LENGTH_ANYWHERE)];
}

/** Backslashes count only before a quote, also before the one behind the value. */
function windowsArgument(text: string): string {
  return text.replace(/\\+|"/g, (found, offset: number) => {
    if (found === '"') return '\\"';
    const next = text.charAt(offset + found.length);
    return next === '"' || next === "" ? found + found : found;
  });
}
