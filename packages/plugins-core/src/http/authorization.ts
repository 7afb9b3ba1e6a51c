import { z } from "@autokestra/plugin-sdk";

const USERNAME = "text without colon, line breaks and other control characters";
const PASSWORD = "text without line breaks and other control characters";
const BEARER = "a token without spaces, line breaks and non-ASCII characters";
const ONE_OF = "either basic: { username, password } or bearer";

const basic = z.strictObject({
  // RFC 7617, section 2: the first colon ends the user name, and neither part may hold a control character.
  username: z.string().refine((text) => /^[^:\p{Cc}]*$/u.test(text), { params: { expected: USERNAME } }),
  password: z
    .string()
    .refine((text) => /^\P{Cc}*$/u.test(text), { params: { expected: PASSWORD } })
    .meta({ secret: true }),
});

const bearer = z
  .string()
  .refine((text) => /^[!-~]+$/.test(text), { params: { expected: BEARER } })
  .meta({ secret: true });

/** `{ basic: { username, password } }` or `{ bearer }`; the result is the value of the Authorization header. */
export const authorizationSchema: z.ZodType<string> = z
  .strictObject({ basic: basic.optional(), bearer: bearer.optional() })
  .transform((auth, context) => {
    if (auth.basic && auth.bearer === undefined) {
      return `Basic ${Buffer.from(`${auth.basic.username}:${auth.basic.password}`).toString("base64")}`;
    }
    if (auth.bearer !== undefined && auth.basic === undefined) return `Bearer ${auth.bearer}`;
    context.addIssue({ code: "custom", params: { expected: ONE_OF } });
    return z.NEVER;
  });
