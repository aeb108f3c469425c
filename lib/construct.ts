/** `import { LaneMQ } from "lanemq/cdk"`: the service as a part of somebody's own CDK application. */
import { RemovalPolicy, Stack } from "aws-cdk-lib";
import {
  ApiMapping,
  DomainName,
  EndpointType,
  type HttpApi,
  SecurityPolicy,
} from "aws-cdk-lib/aws-apigatewayv2";
import type { ICertificate } from "aws-cdk-lib/aws-certificatemanager";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { addService } from "./service.ts";
import { parseSettings } from "./settings.ts";

export interface LaneMQProps {
  /** A domain name of your own. Point a DNS record of it at `domainTarget`. */
  readonly domain?: { readonly name: string; readonly certificate: ICertificate };
  /** Of the tables; RETAIN. DESTROY deletes all messages with the stack: for trials only. */
  readonly removalPolicy?: RemovalPolicy.RETAIN | RemovalPolicy.DESTROY;
  /** Requests a second over the whole API, and how many at once above it; 1,000 and 2,000. */
  readonly throttle?: { readonly rate?: number; readonly burst?: number };
  /** Whom alarms tell. Absent: nobody; they are made all the same. */
  readonly alarmsTopic?: ITopic;
  /** Whether there are alarms; true. Each is billed by the month, and so are the next two. */
  readonly alarms?: boolean;
  readonly dashboard?: boolean;
  readonly queueMetrics?: boolean;
  /** A message that is ready for longer raises an alarm; 3,600. */
  readonly oldestAgeAlarmSeconds?: number;
  /** Receives that may run at once, reserved for them; none. */
  readonly receiveConcurrency?: number;
  /** 256 */
  readonly receiveMemoryMb?: number;
  /** 30 */
  readonly logRetentionDays?: number;
  /** Whether clients of Amazon SQS are served; true. Its KMS key is billed by the month. */
  readonly sqs?: boolean;
  /** The key of a service that is gone, so that access keys made there go on; a new one is made. */
  readonly sqsKmsKeyArn?: string;
  /** Origins that browsers may call from; none: CORS is off. */
  readonly corsOrigins?: readonly string[];
}

export class LaneMQ extends Construct {
  /** URL of the service: what clients take as their endpoint. */
  readonly endpoint: string;
  readonly api: HttpApi;
  readonly catalogTableName: string;
  readonly lanesTableName: string;
  /** What a DNS record of the domain name has to point to. */
  readonly domainTarget: { readonly name: string; readonly hostedZoneId: string } | undefined;

  /** @throws Error that names every prop that is out of range */
  constructor(scope: Construct, id: string, props: LaneMQProps = {}) {
    super(scope, id);
    const { domain, removalPolicy, throttle = {}, alarmsTopic, corsOrigins, ...others } = props;
    if (removalPolicy !== undefined && !(removalPolicy in REMOVAL)) {
      throw new Error("removalPolicy is RETAIN or DESTROY");
    }
    const settings = parseSettings({
      ...others,
      ...(throttle.rate === undefined ? {} : { throttleRate: throttle.rate }),
      ...(throttle.burst === undefined ? {} : { throttleBurst: throttle.burst }),
      ...(corsOrigins === undefined ? {} : { corsOrigins: corsOrigins.join(",") }),
      removal: REMOVAL[removalPolicy ?? RemovalPolicy.RETAIN],
    });
    const service = `${Stack.of(this).stackName}-${id}`;
    const { http, tables } = addService(this, { settings, service, alarmsTopic });
    this.api = http.api;
    this.catalogTableName = tables.catalog.tableName;
    this.lanesTableName = tables.lanes.tableName;
    this.endpoint = domain === undefined ? http.api.apiEndpoint : `https://${domain.name}`;
    this.domainTarget = undefined;
    if (domain === undefined) return;
    const domainName = new DomainName(this, "Domain", {
      domainName: domain.name,
      certificate: domain.certificate,
      endpointType: EndpointType.REGIONAL,
      securityPolicy: SecurityPolicy.TLS_1_2,
    });
    new ApiMapping(this, "Mapping", { api: http.api, domainName, stage: http.stage });
    this.domainTarget = {
      name: domainName.regionalDomainName,
      hostedZoneId: domainName.regionalHostedZoneId,
    };
  }
}

const REMOVAL = {
  [RemovalPolicy.RETAIN]: "retain",
  [RemovalPolicy.DESTROY]: "destroy",
} as const;
