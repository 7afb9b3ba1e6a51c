import type { SeenRequest, SoundAnswer } from "../../src/testing/index.ts";

/** A secret of the stub, as it is stored. */
export interface StoredSecret {
  readonly SecretString?: string;
  /** Base64. */
  readonly SecretBinary?: string;
}

export const ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";
export const VERSION = "6fc1d0b2-3e4f-4a5b-8c6d-7e8f90a1b2c3";

/** An error, as JSON 1.1 has it. */
export function awsError(name: string, message = "canary-in-a-message", status = 400): SoundAnswer {
  return { status, body: { __type: name, Message: message, message } };
}

/** Answers as Secrets Manager does. Ids are names, or ARNs with the name. */
export function createAwsStub(secrets: Readonly<Record<string, StoredSecret>>): (request: SeenRequest) => SoundAnswer {
  const find = (id: unknown) => {
    const name = String(id).replace(ARN, "");
    const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined;
    return secret && { ARN: `${ARN}${name}`, Name: name, VersionId: VERSION, VersionStages: ["AWSCURRENT"], ...secret };
  };
  return ({ headers, body }) => {
    const input = JSON.parse(body);
    switch (headers["x-amz-target"]) {
      case "secretsmanager.GetSecretValue": {
        if (input.SecretId === "") return awsError("ValidationException");
        const isCurrent =
          [undefined, "AWSCURRENT"].includes(input.VersionStage) && [undefined, VERSION].includes(input.VersionId);
        const found = isCurrent ? find(input.SecretId) : undefined;
        return found ? { body: found } : awsError("ResourceNotFoundException");
      }
      case "secretsmanager.BatchGetSecretValue": {
        const ids: readonly string[] = input.SecretIdList;
        const missing = ids.filter((id) => !find(id));
        return {
          body: {
            SecretValues: ids.flatMap((id) => find(id) ?? []),
            Errors: missing.map((SecretId) => ({ SecretId, ErrorCode: "ResourceNotFoundException", Message: "x" })),
          },
        };
      }
      case "secretsmanager.GetRandomPassword":
        return { body: { RandomPassword: "abcdefgh" } };
      default:
        return awsError("UnknownOperationException");
    }
  };
}
