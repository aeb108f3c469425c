/** Alarms and the dashboard. Both are billed by the month and can be switched off. */
import { Duration, Stack } from "aws-cdk-lib";
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { PolicyStatement, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { type ITopic, Topic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import { Construct } from "constructs";
import type { Functions } from "./functions.ts";
import type { LaneMqHttpApi } from "./http-api.ts";
import { METRIC, METRICS_NAMESPACE } from "../lambdas/metric-names.ts";
import type { Settings } from "./settings.ts";
import type { Tables } from "./tables.ts";

interface Parts {
  readonly settings: Settings;
  /** The value of the dimension of that name. */
  readonly service: string;
  /** Whom alarms tell, in place of what the settings say. */
  readonly alarmsTopic?: ITopic | undefined;
  readonly functions: Functions;
  readonly http: LaneMqHttpApi;
  readonly tables: Tables;
}

const PERIOD = Duration.minutes(5);

export class Observability extends Construct {
  constructor(scope: Construct, id: string, parts: Parts) {
    super(scope, id);
    const metrics = metricsOf(parts);
    if (parts.settings.alarms) addAlarms(this, parts, metrics);
    if (parts.settings.dashboard) addDashboard(this, metrics);
  }
}

type Metrics = ReturnType<typeof metricsOf>;

function metricsOf({ functions, http, tables, service }: Parts) {
  const sum = (label: string, usingMetrics: Record<string, IMetric>) =>
    new MathExpression({
      label,
      expression: Object.keys(usingMetrics).join(" + "),
      usingMetrics,
      period: PERIOD,
    });
  const perFunction = (of: "metricErrors" | "metricThrottles") =>
    Object.fromEntries(
      functions
        .entries()
        .map(([name, fn]) => [`${name}${of}`, fn[of]({ statistic: Stats.SUM, period: PERIOD })]),
    );
  const own = (metricName: string, statistic: string) =>
    new Metric({
      namespace: METRICS_NAMESPACE,
      metricName,
      dimensionsMap: { service },
      statistic,
      period: PERIOD,
    });
  const ofQueues = (metricName: string) =>
    new MathExpression({
      expression: `SEARCH('{${METRICS_NAMESPACE},queue,service} MetricName="${metricName}" service="${service}"', 'Maximum', 60)`,
      usingMetrics: {},
      label: "",
      period: Duration.minutes(1),
    });
  return {
    requests: http.stage.metricCount({ statistic: Stats.SUM, period: PERIOD, label: "requests" }),
    clientErrors: http.stage.metricClientError({
      statistic: Stats.SUM,
      period: PERIOD,
      label: "4xx",
    }),
    serverErrors: http.stage.metricServerError({
      statistic: Stats.SUM,
      period: PERIOD,
      label: "5xx",
    }),
    latency: http.stage.metricLatency({ statistic: "p99", period: PERIOD, label: "latency p99" }),
    functionErrors: sum("function errors", perFunction("metricErrors")),
    functionThrottles: sum("function throttles", perFunction("metricThrottles")),
    tableThrottles: sum("table throttles", tableThrottles(tables)),
    oldestAge: own(METRIC.oldestAge, Stats.MAXIMUM),
    deadLetters: own(METRIC.deadLetters, Stats.MAXIMUM),
    deadLettered: own(METRIC.deadLettered, Stats.SUM),
    queues: {
      ready: ofQueues(METRIC.ready),
      leased: ofQueues(METRIC.leased),
      delayed: ofQueues(METRIC.delayed),
      oldestAge: ofQueues(METRIC.oldestAge),
    },
  };
}

function tableThrottles(tables: Tables): Record<string, IMetric> {
  const metric = (TableName: string, metricName: string) =>
    new Metric({
      namespace: "AWS/DynamoDB",
      metricName,
      dimensionsMap: { TableName },
      statistic: Stats.SUM,
      period: PERIOD,
    });
  return {
    catalogReads: metric(tables.catalog.tableName, "ReadThrottleEvents"),
    catalogWrites: metric(tables.catalog.tableName, "WriteThrottleEvents"),
    lanesReads: metric(tables.lanes.tableName, "ReadThrottleEvents"),
    lanesWrites: metric(tables.lanes.tableName, "WriteThrottleEvents"),
  };
}

function addAlarms(scope: Construct, { settings, alarmsTopic }: Parts, metrics: Metrics): void {
  const topic = alarmsTopic ?? alarmTopic(scope, settings);
  const alarm = (id: string, metric: IMetric, threshold: number, description: string) => {
    const made = new Alarm(scope, id, {
      metric,
      threshold,
      evaluationPeriods: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      // An idle service emits nothing.
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: `LaneMQ: ${description}`,
    });
    if (topic !== undefined) made.addAlarmAction(new SnsAction(topic));
  };
  alarm("ServerErrors", metrics.serverErrors, 1, "the API answered with a 5xx");
  alarm("FunctionErrors", metrics.functionErrors, 1, "a function failed or timed out");
  alarm("FunctionThrottles", metrics.functionThrottles, 1, "a function lacked concurrency");
  alarm("TableThrottles", metrics.tableThrottles, 1, "DynamoDB throttled a table");
  alarm(
    "OldestAge",
    metrics.oldestAge,
    settings.oldestAgeAlarmSeconds,
    `a message has been ready for ${settings.oldestAgeAlarmSeconds} s, and nobody received it`,
  );
}

function alarmTopic(scope: Construct, settings: Settings): ITopic | undefined {
  if (settings.alarmTopicArn !== undefined)
    return Topic.fromTopicArn(scope, "Topic", settings.alarmTopicArn);
  if (settings.alarmEmail === undefined) return undefined;
  const topic = new Topic(scope, "Topic", { displayName: "LaneMQ alarms", enforceSSL: true });
  topic.addSubscription(new EmailSubscription(settings.alarmEmail));
  // A policy of the topic's own (enforceSSL) takes the place of the default one, which let alarms in.
  topic.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal("cloudwatch.amazonaws.com")],
      actions: ["sns:Publish"],
      resources: [topic.topicArn],
      conditions: { StringEquals: { "aws:SourceAccount": Stack.of(scope).account } },
    }),
  );
  return topic;
}

function addDashboard(scope: Construct, metrics: Metrics): void {
  const graph = (title: string, left: IMetric[], right: IMetric[] = []) =>
    new GraphWidget({ title, left, right, width: 12 });
  new Dashboard(scope, "Dashboard", {
    widgets: [
      [
        graph("Requests", [metrics.requests, metrics.clientErrors, metrics.serverErrors]),
        graph("Latency", [metrics.latency]),
      ],
      [
        graph("Failures", [
          metrics.functionErrors,
          metrics.functionThrottles,
          metrics.tableThrottles,
        ]),
        graph("Dead letters", [metrics.deadLetters], [metrics.deadLettered]),
      ],
      [
        graph("Ready, by queue", [metrics.queues.ready]),
        graph("Leased and delayed, by queue", [metrics.queues.leased, metrics.queues.delayed]),
      ],
      [graph("Age of the oldest ready message, by queue", [metrics.queues.oldestAge])],
    ],
  });
}
