import { z } from "@autokestra/plugin-sdk";

const scalars = [z.string(), z.number(), z.boolean()] as const;

/** Parameters by name; a list gives the parameter once for each element. */
export const querySchema: z.ZodType<URLSearchParams> = z
  .record(z.string(), z.union([...scalars, z.array(z.union(scalars))]))
  .transform((query) => {
    const result = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      for (const one of [value].flat()) result.append(name, String(one));
    }
    return result;
  });

export const urlSchema: z.ZodType<URL> = z.string().transform((text, context) => {
  const problem = findProblem(text);
  if (problem === null) return new URL(text);
  context.addIssue({ code: "custom", params: { expected: problem } });
  return z.NEVER;
});

function findProblem(text: string): string | null {
  if (!URL.canParse(text)) return "an absolute URL";
  const { protocol, username, password } = new URL(text);
  if (protocol !== "http:" && protocol !== "https:") return "an http: or https: URL";
  if (username === "" && password === "") return null;
  return "a URL without user name and password; give them as auth: { basic: { username, password } }";
}

/** Adds parameters behind those that the URL has, which stay as they are written: a signed URL must not change. */
export function addQuery(url: URL, query: URLSearchParams): URL {
  const result = new URL(url);
  result.search = [url.search.slice(1), query.toString()].filter((part) => part !== "").join("&");
  result.hash = "";
  return result;
}
