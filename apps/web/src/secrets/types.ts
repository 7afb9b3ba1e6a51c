import type { ApiSecret } from "@autokestra/server/answers";

export type SecretType = ApiSecret["type"];

/** A field of a type, as people are asked for it. */
export interface FieldOfType {
  readonly name: string;
  readonly label: string;
  /** Default: it may be left out. */
  readonly isRequired?: true;
  /** Not secret by itself, so it can be seen while it is typed: a name, an address, a time. */
  readonly isPlain?: true;
  /** It names a user: it can be made public, or be masked. */
  readonly isIdentifier?: true;
  readonly hint?: string;
}

interface TypeInfo {
  readonly label: string;
  /** What it is for. */
  readonly description: string;
  /** None where there can be any. */
  readonly fields: readonly FieldOfType[];
}

const EXPIRY: FieldOfType = { name: "expiresAt", label: "Token expires", isPlain: true, hint: "2027-01-31 or 90d" };

/** The types of secrets. A test compares them with those of the server. */
export const TYPES: Readonly<Record<SecretType, TypeInfo>> = {
  apiKey: {
    label: "API key",
    description: "One value: an API key, a password, a private key, a connection string.",
    fields: [{ name: "value", label: "Value", isRequired: true }],
  },
  basicAuth: {
    label: "User and password",
    description: "For services and databases that ask for both.",
    fields: [
      { name: "username", label: "User name", isRequired: true, isPlain: true, isIdentifier: true },
      { name: "password", label: "Password", isRequired: true },
    ],
  },
  bearerToken: {
    label: "Bearer token",
    description: "A token that is sent in a header, perhaps with the time when it ends.",
    fields: [{ name: "token", label: "Token", isRequired: true }, EXPIRY],
  },
  oauth: {
    label: "OAuth client",
    description: "A client id with its secret, and tokens if there are any.",
    fields: [
      { name: "clientId", label: "Client id", isRequired: true, isPlain: true, isIdentifier: true },
      { name: "clientSecret", label: "Client secret", isRequired: true },
      { name: "accessToken", label: "Access token" },
      { name: "refreshToken", label: "Refresh token" },
      { name: "tokenUrl", label: "Token URL", isPlain: true },
      { name: "scopes", label: "Scopes", isPlain: true, hint: "With spaces between them" },
      EXPIRY,
    ],
  },
  custom: {
    label: "Custom fields",
    description: "As many fields as you need, with names of your own.",
    fields: [],
  },
};

export const TYPE_NAMES = Object.keys(TYPES) as readonly SecretType[];
