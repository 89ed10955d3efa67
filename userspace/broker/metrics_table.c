/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/exporter.h"
#include "broker/metrics.h"
#include "exporter_private.h"

static const struct metric_row rows[] = {
#define METRIC(walk, type, name, labels, value, help) { name, METRIC_##type, labels, help },
#include "broker/metrics.def"
#undef METRIC
};

const struct metric_value metric_values[] = {
#define METRIC(walk, type, name, labels, value, help) { WALK_##walk, value_##value },
#include "broker/metrics.def"
#undef METRIC
};

const struct metric_row *metrics_table(size_t *ret_count)
{
	*ret_count = array_count(rows);
	return rows;
}

static const char introduction[] =
	"# Metrics\n"
	"\n"
	"This page is made from the table in the source: `build/sluiced --document-metrics > "
	"docs/metrics.md`.\n"
	"\n"
	"`GET /metrics` on `sluice.metrics.listener` (`127.0.0.1:9644`; empty: none) answers in "
	"Prometheus' text format. There is no authentication: what is not a loopback address "
	"should "
	"be reached by the monitoring alone. When the port is taken, by another broker on the "
	"machine, a warning says so and the broker runs without.\n"
	"\n"
	"```\n"
	"scrape_configs:\n"
	"  - job_name: sluice\n"
	"    static_configs:\n"
	"      - targets: ['127.0.0.1:9644']\n"
	"```\n"
	"\n"
	"Names are those of Kafka's MBeans as the JMX exporter spells them with the usual rules "
	"(`kafka_server_...`), those of kafka_exporter (`kafka_topic_...`, "
	"`kafka_consumergroup_...`), "
	"and `sluice_...` for what is only here. Counters begin at 0 with the process. The request "
	"times are a histogram where the JMX exporter has quantiles: "
	"`histogram_quantile(0.99, rate(kafka_network_requestmetrics_totaltimems_bucket[1m]))`.\n"
	"\n";

void metrics_document(struct buf *out)
{
	buf_add_str(out, str_of(introduction));
	buf_printf(out,
	           "With more than %d partitions there are no series of single partitions, with "
	           "more than %d topics none of topics, and with more than %d committed offsets "
	           "none of single offsets: sums remain, and a comment at the top of the answer "
	           "says so. `sluice.metrics.per.partition=false` (at run time) leaves those of "
	           "partitions and offsets out in any case. Of more than %d committed offsets the "
	           "first are told.\n\n",
	           EXPORTER_SERIES, EXPORTER_SERIES, EXPORTER_SERIES, EXPORTER_OFFSETS);
	buf_printf(out, "| Name | Type | Labels | What it says |\n| --- | --- | --- | --- |\n");
	for (size_t i = 0; i < array_count(rows); i++)
		buf_printf(out, "| `%s` | %s | %s | %s |\n", rows[i].name,
		           metric_type_name(rows[i].type), rows[i].labels, rows[i].help);
}
