/**
 * The key that secrets of access keys are sealed under. Whoever can read the tables cannot read them.
 * It stays with the tables: deleted, it would take every access key along.
 */
import { RemovalPolicy } from "aws-cdk-lib";
import { type IKey, Key } from "aws-cdk-lib/aws-kms";
import type { Construct } from "constructs";
import type { Settings } from "./settings.ts";

export const accessKeysKey = (
  scope: Construct,
  id: string,
  { removal, sqsKmsKeyArn }: Settings,
): IKey =>
  sqsKmsKeyArn === undefined
    ? new Key(scope, id, {
        description: "LaneMQ: seals the secrets of access keys",
        enableKeyRotation: true,
        removalPolicy: removal === "retain" ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      })
    : Key.fromKeyArn(scope, id, sqsKmsKeyArn);
