/* SPDX-License-Identifier: Apache-2.0 */
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.QuotaConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

/*
 * Writes what Kafka's own classes say of its configs, one a line, fields by tabs:
 *	java -cp "$HOME/.cache/kafka-reference/libs/*" ConfigDefs.java >config-defs.txt
 */
public final class ConfigDefs {
	private static String text(ConfigDef.ConfigKey key) {
		if (!key.hasDefault())
			return "(required)";
		if (key.defaultValue == null)
			return "(null)";
		return ConfigDef.convertToString(key.defaultValue, key.type);
	}

	/* Of a list also whether it may be empty, which its validator's text leaves out. */
	private static String check(ConfigDef.Validator validator) throws ReflectiveOperationException {
		if (validator == null)
			return "-";
		if (!(validator instanceof ConfigDef.ValidList))
			return validator.toString().replace('\n', ' ');
		Field empty = ConfigDef.ValidList.class.getDeclaredField("isEmptyAllowed");
		empty.setAccessible(true);
		return "items" + validator + (empty.getBoolean(validator) ? "" : " not empty");
	}

	private static void dump(String scope, ConfigDef def, Map<String, String> modes)
			throws ReflectiveOperationException {
		for (ConfigDef.ConfigKey key : new TreeMap<>(def.configKeys()).values()) {
			System.out.println(String.join("\t", scope, key.name, key.type.name(), text(key),
				key.importance.name(), key.internalConfig ? "internal" : "public",
				modes.getOrDefault(key.name, "read-only"), check(key.validator)));
		}
	}

	public static void main(String[] args) throws ReflectiveOperationException {
		Map<String, String> modes = new TreeMap<>(DynamicBrokerConfig.dynamicConfigUpdateModes());
		Map<String, String> none = new TreeMap<>();

		dump("broker", AbstractKafkaConfig.CONFIG_DEF, modes);
		dump("broker-quota", QuotaConfig.brokerQuotaConfigs(), modes);
		dump("topic", LogConfig.configDefCopy(), none);
		dump("group", GroupConfig.CONFIG_DEF, none);
		dump("client-metrics", ClientMetricsConfigs.configDef(), none);
		for (String name : DynamicBrokerConfig.ALL_DYNAMIC_CONFIGS.stream().sorted().toList())
			System.out.println("dynamic\t" + name);
		for (Map.Entry<String, ?> entry :
			new TreeMap<>(ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS).entrySet()) {
			List<String> names = new ArrayList<>();
			for (Object synonym : (List<?>) entry.getValue()) {
				org.apache.kafka.server.config.ConfigSynonym s =
					(org.apache.kafka.server.config.ConfigSynonym) synonym;
				names.add(s.name() + "*" + s.converter().apply("1"));
			}
			System.out.println("synonyms\t" + entry.getKey() + "\t" + String.join(",", names));
		}
	}
}
