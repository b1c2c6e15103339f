"""Writes the dashboards of this folder from one table: two for Grafana, with CloudWatch and with Prometheus as their
source, and one for Datadog. Usage: dashboards.py [FOLDER]"""

import json
import re
import sys
from pathlib import Path

API, SQS, LAMBDA, TABLE, OWN = "AWS/ApiGateway", "AWS/SQS", "AWS/Lambda", "AWS/DynamoDB", "Spillway"

# CloudWatch's name of each metric of AWS that the dev runner has too: the same in Prometheus. `{window}` is the time
# over which events are counted.
RUNNER = {
    "Count": 'sum(increase(apigateway_requests_total[{window}]))',
    "4XXError": 'sum(increase(apigateway_requests_total{{status=~"4.."}}[{window}]))',
    "5XXError": 'sum(increase(apigateway_requests_total{{status=~"5.."}}[{window}]))',
    "Latency": "1000 * histogram_quantile({quantile}, sum by (le) (rate(apigateway_latency_seconds_bucket[{window}])))",
    "Errors": "sum by (function) (increase(lambda_errors_total[{window}]))",
    "Duration": "1000 * histogram_quantile({quantile}, sum by (function, le) (rate(lambda_duration_seconds_bucket[{window}])))",
    "ApproximateNumberOfMessagesVisible": 'sum by (queue) (sqs_messages{{state="visible"}})',
    "ApproximateAgeOfOldestMessage": "max by (queue) (sqs_oldest_message_age_seconds)",
}

# Title, unit, and series: namespace, metric, statistic. Statistics say what a metric is: Sum adds up events in a minute,
# Maximum is a gauge, a percentile is of a time in milliseconds. From the outside in.
PANELS = [
    ("Requests a minute", "short", [(API, "Count", "Sum"), (API, "4XXError", "Sum"), (API, "5XXError", "Sum")]),
    ("Latency of the API", "ms", [(API, "Latency", "p50"), (API, "Latency", "p99")]),
    ("Payments a minute", "short", [
        (OWN, "PaymentsSucceeded", "Sum"), (OWN, "PaymentsFailed", "Sum"), (OWN, "PaymentsRefused", "Sum")]),
    ("Operations at the processor a minute", "short", [
        (OWN, "OutcomesUnknown", "Sum"), (OWN, "LateChargesUndone", "Sum"), (OWN, "OperationsCalledAgain", "Sum")]),
    ("Latency of the processor", "ms", [(OWN, "ProcessorLatency", "p50"), (OWN, "ProcessorLatency", "p99")]),
    ("Balances", "short", [(OWN, "MovementsFolded", "Sum"), (OWN, "BalancesBehind", "Sum")]),
    ("Webhooks a minute", "short", [
        (OWN, "WebhooksDelivered", "Sum"), (OWN, "WebhooksFailed", "Sum"), (OWN, "WebhooksGivenUp", "Sum")]),
    ("Time from event to delivery", "ms", [(OWN, "WebhookLatency", "p50"), (OWN, "WebhookLatency", "p99")]),
    ("Due work a minute", "short", [(OWN, "DueEnqueued", "Sum"), (OWN, "DueOverdue", "Sum")]),
    ("Unfinished, at each sweep", "short", [
        (OWN, "OperationsUnfinished", "Maximum"), (OWN, "EventsUndelivered", "Maximum"),
        (OWN, "DeliveriesWaiting", "Maximum")]),
    ("Age of the oldest, at each sweep", "s", [
        (OWN, "OldestOperation", "Maximum"), (OWN, "OldestEvent", "Maximum"), (OWN, "OldestDelivery", "Maximum")]),
    ("Messages and dead letters waiting", "short", [(SQS, "ApproximateNumberOfMessagesVisible", "Maximum")]),
    ("Age of the oldest message", "s", [(SQS, "ApproximateAgeOfOldestMessage", "Maximum")]),
    ("Failed work a minute", "short", [(OWN, "WorkFailed", "Sum"), (OWN, "ItemsUnreadable", "Sum")]),
    ("Errors of functions a minute", "short", [(LAMBDA, "Errors", "Sum")]),
    ("Duration of functions, p99", "ms", [(LAMBDA, "Duration", "p99")]),
    ("Refused invocations a minute", "short", [(LAMBDA, "Throttles", "Sum")]),
    ("Units of the table a minute", "short", [
        (TABLE, "ConsumedReadCapacityUnits", "Sum"), (TABLE, "ConsumedWriteCapacityUnits", "Sum")]),
    ("Refusals of the table a minute", "short", [(TABLE, "ReadThrottleEvents", "Sum"), (TABLE, "WriteThrottleEvents", "Sum")]),
]

# The dimension of each namespace that names a part of the stack. Names of queues, functions and tables begin with the
# stack's name.
DIMENSION = {API: "ApiName", SQS: "QueueName", LAMBDA: "FunctionName", TABLE: "TableName", OWN: "Stack"}


def snake(name):
    """PaymentsSucceeded as payments_succeeded, as the runner does."""
    return re.sub(r"(?<=[^A-Z])(?=[A-Z])", "_", name).lower()


def cloudwatch(namespace, name, statistic):
    common = {
        "datasource": {"type": "cloudwatch", "uid": "${datasource}"}, "queryMode": "Metrics", "metricQueryType": 0,
        "region": "$region", "period": "60", "label": f"{name} {statistic}",
    }
    if namespace in (API, OWN):
        dimensions = {DIMENSION[namespace]: "$stack"} | ({"Stage": "api"} if namespace == API else {})
        return common | {
            "metricEditorMode": 0, "namespace": namespace, "metricName": name, "statistic": statistic,
            "dimensions": dimensions, "matchExact": True, "expression": "",
        }
    dimension = DIMENSION[namespace]
    search = f"{{{namespace},{dimension}}} MetricName=\"{name}\" {dimension}=$stack"
    return common | {"metricEditorMode": 1, "expression": f"SEARCH('{search}', '{statistic}', 60)", "label": ""}


def prometheus(namespace, name, statistic):
    """None for a metric that the runner does not have."""
    base = f"{snake(namespace)}_{snake(name)}"
    own = {
        "Sum": f"sum(increase({base}_total[{{window}}]))",
        "Maximum": f"max({base}_seconds)" if name.startswith("Oldest") else f"max({base})",
    }
    percentile = f"1000 * histogram_quantile({{quantile}}, sum by (le) (rate({base}_seconds_bucket[{{window}}])))"
    expression = own.get(statistic, percentile) if namespace == OWN else RUNNER.get(name)
    if expression is None:
        return None
    # Four samples at least: Grafana chooses the window by the source's scrape interval. A minute for events a minute.
    window = "$__rate_interval" if statistic.startswith("p") else "1m"
    legend = next((f"{{{{{label}}}}}" for label in ("queue", "function") if f"by ({label}" in expression), f"{name} {statistic}")
    return {
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "expr": expression.format(window=window, quantile=f"0.{statistic[1:]}"), "legendFormat": legend,
    }


def grafana(title, source, target, variables):
    shown = [(name, unit, [found for one in series if (found := target(*one))]) for name, unit, series in PANELS]
    shown = [panel for panel in shown if panel[2]]
    panels = [
        {
            "id": number + 1, "type": "timeseries", "title": name,
            "datasource": {"type": source, "uid": "${datasource}"},
            "gridPos": {"x": number % 3 * 8, "y": number // 3 * 7, "w": 8, "h": 7},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "targets": [one | {"refId": chr(ord("A") + place)} for place, one in enumerate(targets)],
        }
        for number, (name, unit, targets) in enumerate(shown)
    ]
    choice = {"name": "datasource", "type": "datasource", "query": source, "label": "Source"}
    return {
        "title": title, "uid": title.lower().replace(" ", "-"), "schemaVersion": 39, "editable": True, "refresh": "1m",
        "time": {"from": "now-3h", "to": "now"}, "tags": ["spillway"],
        "templating": {"list": [choice, *variables]}, "panels": panels,
    }


def datadog(namespace, name, statistic):
    place = snake(namespace.replace("AWS/", "aws.")) if namespace == OWN else f"aws.{namespace[4:].lower()}"
    metric = f"{place}.{name.lower() if namespace == API else snake(name)}"
    tag = DIMENSION[namespace].lower()
    scope = f"{tag}:$stack.value" if namespace in (API, OWN) else f"{tag}:$stack.value*"
    by = "" if namespace in (API, OWN, TABLE) else f" by {{{tag}}}"
    if statistic == "Sum":
        return f"sum:{metric}{{{scope}}}{by}.as_count()"
    return f"max:{metric}{'.' + statistic if statistic.startswith('p') else ''}{{{scope}}}{by}"


def datadog_dashboard():
    def widget(title, series):
        request = {
            "response_format": "timeseries", "display_type": "line",
            "queries": [
                {"data_source": "metrics", "name": f"q{place}", "query": datadog(*one)} for place, one in enumerate(series)
            ],
            "formulas": [{"formula": f"q{place}", "alias": f"{one[1]} {one[2]}"} for place, one in enumerate(series)],
        }
        return {"definition": {"type": "timeseries", "title": title, "show_legend": True, "requests": [request]}}

    return {
        "title": "Spillway", "layout_type": "ordered", "reflow_type": "auto",
        "description": "Metrics that Datadog reads from CloudWatch: the namespaces AWS/ApiGateway, AWS/SQS, AWS/Lambda, "
        "AWS/DynamoDB and Spillway.",
        "template_variables": [{"name": "stack", "defaults": ["spillway"]}],
        "widgets": [widget(title, series) for title, _, series in PANELS],
    }


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    text = {"type": "textbox", "query": "spillway", "current": {"text": "spillway", "value": "spillway"}}
    region = {"name": "region", "label": "Region", "type": "query", "refresh": 1, "query": "regions()",
              "datasource": {"type": "cloudwatch", "uid": "${datasource}"}}
    files = {
        "grafana-cloudwatch.json": grafana(
            "Spillway on AWS", "cloudwatch", cloudwatch, [region, {"name": "stack", "label": "Stack"} | text]),
        "grafana-prometheus.json": grafana("Spillway local", "prometheus", prometheus, []),
        "datadog.json": datadog_dashboard(),
    }
    for name, content in files.items():
        # A line for each panel.
        text = json.dumps(content).replace('{"id": ', '\n{"id": ').replace('{"definition": ', '\n{"definition": ')
        (folder / name).write_text(text + "\n")


main()
