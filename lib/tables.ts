/**
 * The two tables. What they hold outlives the stack: RETAIN and deletion protection, both; and no
 * physical names, so that several stacks fit in one account and region.
 *
 * `lanes` has no point-in-time recovery: its content is in transit, with a retention of its own, and
 * restored cursors would deliver again what was acked since. `catalog` cannot be made anew, and has.
 */
import { RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, Billing, TableV2 } from "aws-cdk-lib/aws-dynamodb";
import { Construct } from "constructs";
import type { TableName } from "../src/store/port.ts";
import type { Settings } from "./settings.ts";

/** What the functions and metrics need of a table, made here or not. */
export interface TableRef {
  readonly tableArn: string;
  readonly tableName: string;
}

export class Tables extends Construct {
  readonly catalog: TableRef;
  readonly lanes: TableRef;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id);
    const retain = settings.removal === "retain";
    const shape = {
      partitionKey: { name: "pk", type: AttributeType.STRING },
      sortKey: { name: "sk", type: AttributeType.STRING },
      billing: Billing.onDemand(),
      deletionProtection: retain,
      removalPolicy: retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    };
    this.catalog =
      settings.catalogTable === undefined
        ? new TableV2(this, "Catalog", {
            ...shape,
            timeToLiveAttribute: "ttl",
            pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
          })
        : TableV2.fromTableName(this, "Catalog", settings.catalogTable);
    this.lanes =
      settings.lanesTable === undefined
        ? new TableV2(this, "Lanes", { ...shape, timeToLiveAttribute: "ttl" })
        : TableV2.fromTableName(this, "Lanes", settings.lanesTable);
  }

  get(name: TableName): TableRef {
    return name === "catalog" ? this.catalog : this.lanes;
  }
}
